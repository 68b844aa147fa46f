"""The plan: what the user left open is decided from the data, by rules that a person can read and change."""

from perpixel.planning.card import card_of
from perpixel.planning.facts import Facts, facts_of
from perpixel.planning.plan import Choice, Plan, plan_for
from perpixel.planning.rules import NO_STATISTICS

__all__ = ["NO_STATISTICS", "Choice", "Facts", "Plan", "card_of", "facts_of", "plan_for"]
