from __future__ import annotations

from importers.dicom.answers import (
    COERCION,
    DUPLICATE,
    ELEMENTS_DISCARDED,
    OUT_OF_RESOURCES,
    SUCCESS,
    Answer,
)


def test_the_status_of_a_c_store_response() -> None:
    assert Answer().status == SUCCESS
    assert Answer(warning=ELEMENTS_DISCARDED).status == ELEMENTS_DISCARDED
    assert Answer(failure=OUT_OF_RESOURCES).status == OUT_OF_RESOURCES


def test_a_duplicate_that_was_not_taken_is_no_failure() -> None:
    assert Answer(warning=DUPLICATE).stored
    assert Answer(warning=DUPLICATE).status == COERCION
