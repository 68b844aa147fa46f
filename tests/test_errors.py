import pytest

from perpixel.errors import DataError, PerpixelError, Problem, did_you_mean


def test_an_error_tells_what_shows_examples_and_ends_with_the_fix():
    error = DataError("3 masks are missing.", examples=["a.png", "b.png"], fix="add them.")
    assert str(error) == "3 masks are missing.\n  - a.png\n  - b.png\nFix: add them."


def test_five_examples_are_shown_and_the_rest_counted():
    text = str(Problem("many.", "mend.", tuple(f"{n}.png" for n in range(1007))))
    assert text.count("  - ") == 5
    assert "… and 1,002 more" in text


def test_several_problems_make_one_error():
    problems = [Problem("one.", "mend one."), Problem("two.", "mend two.")]
    with pytest.raises(PerpixelError, match=r"one\.\nFix: mend one\.\n\ntwo\.\nFix: mend two\.") as caught:
        raise DataError.of(problems)
    assert list(caught.value.problems) == problems


def test_close_names_are_suggested_and_long_lists_cut():
    assert did_you_mean("unett", ["unet", "fcn8s"]) == "did you mean unet?"
    text = did_you_mean("qqqq", [f"name{n:04}" for n in range(1000)])
    assert text.endswith("name0029 and 970 more.")


def test_many_problems_that_one_sentence_repairs_are_told_as_one_message():
    problems = [Problem(f"{number}.png has 3 channels.", "give images of 1.") for number in range(7)]
    error = DataError.of([*problems, Problem("b is damaged.", "restore it.")])
    assert len(error.problems) == 8
    assert str(error).splitlines()[4:] == [
        "4.png has 3 channels.",
        "… and 2 more",
        "Fix: give images of 1.",
        "",
        "b is damaged.",
        "Fix: restore it.",
    ]
    assert str(DataError.of(problems[:5])).count("Fix: ") == 5
