"""What Fogline's command lines share."""

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
