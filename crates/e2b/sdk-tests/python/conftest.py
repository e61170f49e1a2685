"""One sandbox a test, removed behind it. The server's address and key come from E2B's own variables."""

import uuid

import pytest
from e2b import Sandbox


@pytest.fixture()
def make():
    made = []

    def create(*args, **options):
        options.setdefault("timeout", 120)
        sandbox = Sandbox.create(*args, **options)
        made.append(sandbox)
        return sandbox

    yield create
    for sandbox in made:
        sandbox.kill()


@pytest.fixture()
def sandbox(make):
    return make()


@pytest.fixture()
def mark():
    return {"mark": uuid.uuid4().hex}
