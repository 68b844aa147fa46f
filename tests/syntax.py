"""Syntax trees of source files, read once for all tests that look at the code."""

import ast
from functools import cache


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path):
    """Every node of a file's syntax tree."""
    return list(ast.walk(tree_of(path)))
