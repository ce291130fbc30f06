"""All edits by name. To add one: a function and a line in its family's file; a new family: a line here."""

from collections.abc import Mapping

from rewardsmith.audit.edits import layout, length, surface, tone
from rewardsmith.audit.edits.edit import Edit

EDITS: Mapping[str, Edit] = {**length.EDITS, **layout.EDITS, **tone.EDITS, **surface.EDITS}
