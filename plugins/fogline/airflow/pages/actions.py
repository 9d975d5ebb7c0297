"""The actions of a federation's page: each is the form of a small DAG, so that what is done is a run with its user."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow.sdk import Param

from fogline.airflow import forms
from fogline.dag_ids import COMPARE_BRANCHES, NEW_BRANCH, PROMOTE_BRANCH, ROLL_BACK, dag_id
from fogline.ledger.federation_view import FederationView
from fogline.versions import MAIN

N_PROPOSED = 20


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes
    ----------
    kind
        ``choice`` of the options, ``items`` (any of the options), ``lines`` (a list, one a line) or ``text``, for which
        the options are proposals.
    empty_is_null
        An empty text means null.
    """

    name: str
    label: str
    hint: str
    kind: str
    default: str
    options: tuple[str, ...]
    is_required: bool
    empty_is_null: bool


@dataclass(frozen=True)
class Action:
    """An action that the user may take.

    Attributes
    ----------
    task_id
        The DAG's one task, whose log tells what came of it.
    question
        What is asked before, with ``{field}`` for what a field says; None where nothing can be lost.
    can_unpause
        Whether the DAG is paused and the user may change that; a run of a paused DAG waits.
    """

    title: str
    button: str
    dag_id: str
    task_id: str
    fields: tuple[Field, ...]
    question: str | None
    is_paused: bool
    can_unpause: bool = False


def actions_on(
    view: FederationView, dags: Mapping[str, bool], startable: Collection[str], editable: Collection[str]
) -> list[Action]:
    """Return the actions that the user may take and that have something to act on.

    Parameters
    ----------
    dags
        Airflow's DAGs, and whether each is paused.
    """
    return [
        replace(action, is_paused=dags[action.dag_id], can_unpause=dags[action.dag_id] and action.dag_id in editable)
        for action in _sensible(view)
        if action.dag_id in dags and action.dag_id in startable
    ]


def _sensible(view: FederationView) -> list[Action]:
    names = [branch.name for branch in view.branches]
    others = [name for name in names if name != MAIN]
    versions = _proposed(view)
    found = []
    if len(names) > 1:
        fields = _fields(forms.compare_form(names), {"first": names, "second": names})
        if MAIN not in names:
            fields = tuple(replace(field, default=names[0]) if field.name == "first" else field for field in fields)
        found.append(_action(view, "Compare two branches", "Compare", COMPARE_BRANCHES, "compare_branches", fields))
    if versions:
        fields = _fields(forms.new_branch_form(view.fogs), {"begins_at": versions, "exclude": view.fogs})
        found.append(_action(view, "Start a branch", "Start the branch", NEW_BRANCH, "write_branch_file", fields))
    if others and MAIN in names:
        fields = _fields(forms.promote_form(names), {"branch": others})
        question = "Make the head of {branch} the next version of main? The fogs train from it, and subscribers follow."
        found.append(_action(view, "Promote a branch to main", "Promote", PROMOTE_BRANCH, "promote", fields, question))
    if any(branch.n_on_chain > 1 for branch in view.branches):
        fields = _fields(forms.roll_back_form(names), {"version": versions, "branch": names})
        question = "Move the head of {branch} back to {version}? What was trained after it is off the chain from then."
        found.append(_action(view, "Roll a head back", "Roll back", ROLL_BACK, "roll_back", fields, question))
    return found


def _action(
    view: FederationView,
    title: str,
    button: str,
    kind: str,
    task_id: str,
    fields: tuple[Field, ...],
    question: str | None = None,
) -> Action:
    return Action(title, button, dag_id(kind, view.federation), task_id, fields, question, is_paused=False)


def _proposed(view: FederationView) -> list[str]:
    newest = [str(one.version) for branch in view.branches for one in branch.metric[: -N_PROPOSED - 1 : -1]]
    return list(dict.fromkeys([*newest, *(branch.head for branch in view.branches)]))


def _fields(form: Mapping[str, Param], options: Mapping[str, Sequence[str]]) -> tuple[Field, ...]:
    return tuple(_field(name, param, tuple(options.get(name, ()))) for name, param in form.items())


def _field(name: str, param: Param, options: tuple[str, ...]) -> Field:
    schema = param.schema
    if schema["type"] == "array":
        kind = "items" if options else "lines"
    else:
        # Names of branches are all that is ever proposed by the form itself.
        kind = "choice" if "examples" in schema else "text"
    return Field(
        name=name,
        label=schema["title"],
        hint=param.description or "",
        kind=kind,
        default=param.value or "" if isinstance(param.value, str | None) else "",
        options=options,
        is_required="minLength" in schema,
        empty_is_null="null" in schema["type"],
    )
