"""The second, fourth, sixth claim and so on at preset smoke."""

from every_claim import CLAIMS as ALL
from every_claim import (  # noqa: F401
    pytestmark,
    test_nbval_finds_the_same_outputs_again,
    test_the_notebook_is_normalised_and_every_cell_ran,
    test_the_record_says_everything_a_page_needs,
)

CLAIMS = ALL[1::2]
