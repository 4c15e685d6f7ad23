"""The `Upload` scalar, which accepts only file parts of multipart requests."""

from __future__ import annotations

from typing import NoReturn

import strawberry
from graphql import GraphQLError, ValueNode
from starlette.datastructures import UploadFile

from app.errors import Code

HOW_TO_UPLOAD = (
    "A file must be a part of a multipart request "
    "(https://github.com/jaydenseric/graphql-multipart-request-spec)"
)


def _parse_value(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError(HOW_TO_UPLOAD, extensions={"code": Code.BAD_USER_INPUT})
    return value


def _parse_literal(_node: ValueNode, _variables: object = None) -> NoReturn:
    raise GraphQLError(f"{HOW_TO_UPLOAD}, passed as a variable", extensions={"code": Code.BAD_USER_INPUT})


UPLOAD = strawberry.scalar(
    name="Upload",
    description="A file part of a GraphQL multipart request.",
    specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
    parse_value=_parse_value,
    parse_literal=_parse_literal,
    serialize=lambda value: value,
)
