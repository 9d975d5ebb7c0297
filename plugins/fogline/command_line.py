"""What Fogline's command lines share."""

import datetime as dt
from typing import Any

import click

from fogline.errors import FoglineError


class OneLineErrors(click.Group):
    """A group whose verbs end with one line, not with a traceback, on an error raised on purpose."""

    def invoke(self, context: click.Context) -> object:
        """Run the verb."""
        try:
            return super().invoke(context)
        except FoglineError as error:
            raise click.ClickException(str(error)) from error


class Moment(click.ParamType[dt.datetime]):
    """A moment in ISO 8601; without an offset it is in UTC."""

    name = "ISO 8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """Parse a moment."""
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time in ISO 8601; write it as 2014-01-01T00:00:00Z", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
