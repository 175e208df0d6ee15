"""Finding the members, and who needs whom."""

import pytest
from scripts.workspace import bound_complaints, closure, find_members, select

PYPROJECT = """
[project]
name = "{name}"
version = "0.1.0"
dependencies = {base}

[project.optional-dependencies]
more = {more}

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]
"""


@pytest.fixture
def workspace(tmp_path):
    def build(**members):
        for name, (base, more) in members.items():
            folder = tmp_path / ("services/orchestrator" if name == "app" else f"packages/orchestrator-{name}")
            folder.mkdir(parents=True)
            text = PYPROJECT.format(name=f"orchestrator-{name}", base=base, more=more, module=f"orchestrator_{name}")
            (folder / "pyproject.toml").write_text(text)
        (tmp_path / "packages" / "not-a-member").mkdir()
        return find_members(tmp_path)

    return build


KERNEL = ["pydantic>=2"]
BOUND = ["orchestrator-kernel>=0.1,<0.2"]


def test_members_are_what_has_a_pyproject(workspace):
    members = workspace(kernel=(KERNEL, []), calls=(BOUND, []), app=(["orchestrator-calls>=0.1,<0.2"], []))
    assert [(member.short, member.module, member.is_service) for member in members] == [
        ("calls", "orchestrator_calls", False),
        ("kernel", "orchestrator_kernel", False),
        ("app", "orchestrator_app", True),
    ]


def test_selecting_by_short_and_full_names(workspace):
    members = workspace(kernel=(KERNEL, []), calls=(BOUND, []))
    assert select(members, []) == members
    assert [member.short for member in select(members, ["orchestrator-calls"])] == ["calls"]
    with pytest.raises(LookupError, match="nobody; there are calls, kernel"):
        select(members, ["calls", "nobody"])


def test_the_closure_holds_siblings_of_siblings_and_extras_when_asked(workspace):
    members = workspace(
        kernel=(KERNEL, []),
        utils=(BOUND, []),
        calls=(BOUND, ["orchestrator-utils>=0.1,<0.2"]),
        app=(["orchestrator-calls"], []),
    )
    app, calls = members[3], members[0]
    assert {member.short for member in closure(app, members)} == {"app", "calls", "kernel"}
    assert {member.short for member in closure(calls, members, extras=True)} == {"calls", "kernel", "utils"}


def test_a_sibling_that_is_not_here_is_never_asked_of_an_index(workspace):
    members = workspace(calls=(BOUND, []))
    with pytest.raises(LookupError, match="orchestrator-calls requires orchestrator-kernel"):
        closure(members[0], members)


@pytest.mark.parametrize("bound", ["", "==0.1.0", ">=0.1", "<0.2", "~=0.1", ">0.1,<0.2"])
def test_bounds_between_siblings_have_two_ends(workspace, bound):
    members = workspace(kernel=(KERNEL, []), calls=(BOUND, [f"orchestrator-kernel{bound}"]))
    assert len(bound_complaints(members)) == 1


def test_good_bounds_and_third_parties_are_no_complaint(workspace):
    assert bound_complaints(workspace(kernel=(KERNEL, []), calls=(BOUND, ["orchestrator-calls[other]"]))) == []


def test_the_real_workspace_can_be_read():
    members = find_members()
    kernel = next(member for member in members if member.short == "kernel")
    assert kernel.module == "orchestrator_kernel"
    assert kernel.siblings(extras=True) == set()
