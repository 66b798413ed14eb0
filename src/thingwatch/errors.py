"""What can go wrong, drawn as a tree; each error names the value and the cure."""


class ThingwatchError(Exception):
    """Anything we say on purpose; the message is one sentence a user can act on."""

    exit_code = 1


class UsageError(ThingwatchError):
    """A command or a setting that cannot be carried out as given."""

    exit_code = 2


class SettingError(UsageError):
    """A setting outside its range: ``quiet_minutes = -3: must be above 0; ...``."""


class InputError(ThingwatchError):
    """Input that cannot be read at all: missing, unreadable, or of no known form."""

    exit_code = 3


class OutputError(ThingwatchError):
    """A result that cannot be written: no permission, disk full; nothing half written stays behind."""

    exit_code = 3


class ContradictionError(ThingwatchError):
    """A profile whose own numbers contradict each other; it is not printed."""
