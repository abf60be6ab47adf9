"""Form bodies and query strings: `application/x-www-form-urlencoded` (WHATWG URL) and `multipart/form-data` (RFC 7578).

In: a Request whose body may still be arriving. Out: text fields in order, and files, which go to disk above a threshold. Every
number is bounded: fields, files, the size of a field, all text together. The size of the whole body is the server's limit.
It knows no endpoint and no type: all values are text.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import unquote_plus

import msgspec
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from pellucid.errors import BAD_QUERY, BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, Code, Problem, shorten
from pellucid.http.messages import Request
from pellucid.http.negotiate import MediaType, content_type

__all__ = ["FORM_TYPES", "Form", "FormLimits", "UploadFile", "query_fields", "read_form"]

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

_CHUNK = 65_536
_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252"}


class FormLimits(msgspec.Struct, frozen=True):
    """What a form may cost; sizes are in bytes."""

    fields: int = 1000
    files: int = 100
    field_size: int = 1024 * 1024
    text_size: int = 8 * 1024 * 1024
    """All fields together: they are kept in memory."""
    memory: int = 256 * 1024
    """A file larger than this goes to disk."""


class UploadFile:
    """A file out of a multipart body. It is gone when the endpoint has answered, so read or copy it before.

    `name` is the form's field, `filename` the sender's name for the file without any folder, `content_type` what the sender
    says it is: neither is to be trusted. `size` is in bytes; `on_disk` says whether reading it goes to a thread.
    """

    __slots__ = ("_file", "content_type", "filename", "name", "on_disk", "size")

    def __init__(self, name: str, filename: str, content_type: str, file: IO[bytes], size: int = 0) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.size = size
        self._file = file
        self.on_disk = False

    async def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from where the last read ended, all the rest by default; b"" at the end."""
        return await asyncio.to_thread(self._file.read, size) if self.on_disk else self._file.read(size)

    async def chunks(self, size: int = _CHUNK) -> AsyncIterator[bytes]:
        """The whole file from its beginning, piece by piece."""
        self._file.seek(0)
        while chunk := await self.read(size):
            yield chunk

    @property
    def file(self) -> IO[bytes]:
        """The open file at its current position, for libraries that want one; reading it blocks."""
        return self._file

    def close(self) -> None:
        """Give its memory or its place on disk back."""
        self._file.close()

    def __repr__(self) -> str:
        return f"<UploadFile {self.name}: {self.filename!r}, {self.size} bytes>"


class Form(msgspec.Struct):
    """A form as sent: fields and files in order, names may repeat."""

    fields: list[tuple[str, str]]
    files: list[UploadFile]

    def close(self) -> None:
        """Give back what the files hold."""
        for file in self.files:
            file.close()


def query_fields(query: str, most: int = 1000) -> list[tuple[str, str]]:
    """The names and values of a query string in order, decoded. Raises BAD_QUERY."""
    return _fields(query, most, BAD_QUERY) if query else []


def _fields(text: str, most: int, code: Code) -> list[tuple[str, str]]:
    """Parse `a=b&c=d` (WHATWG URL, section 5.1); a name without "=" has the value ""."""
    if text.count("&") >= most:
        raise Problem(code, f"there are more than {most} fields")
    found: list[tuple[str, str]] = []
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in pair or "+" in pair:
                try:
                    name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
                except UnicodeDecodeError:
                    raise Problem(code, f"{shorten(pair)} is not UTF-8 when decoded") from None
            found.append((name, value))
    return found


async def read_form(request: Request, limits: FormLimits = FormLimits()) -> Form:  # noqa: B008 (frozen)
    """The form in a request's body, by its Content-Type; close it when done.

    Raises UNSUPPORTED_MEDIA_TYPE, MALFORMED_BODY, BODY_TOO_LARGE.
    """
    kind = content_type(request.headers)
    match kind.name if kind is not None else None:
        case "application/x-www-form-urlencoded":
            assert kind is not None
            return Form(await _read_urlencoded(request, kind, limits), [])
        case "multipart/form-data":
            assert kind is not None
            return await _read_multipart(request, kind, limits)
        case _:
            sent = request.headers.get("content-type")
            raise Problem(
                UNSUPPORTED_MEDIA_TYPE, f"a form was expected, not {shorten(sent)}", hint=f"send {' or '.join(FORM_TYPES)}"
            )


async def _read_urlencoded(request: Request, kind: MediaType, limits: FormLimits) -> list[tuple[str, str]]:
    if kind.parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "a form is sent in UTF-8")
    body = bytearray()
    async for chunk in request.chunks():
        body += chunk
        if len(body) > limits.text_size:
            raise Problem(BODY_TOO_LARGE, f"a form may have {limits.text_size} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(MALFORMED_BODY, "the form is not UTF-8") from None
    return _fields(text, limits.fields, MALFORMED_BODY)


async def _read_multipart(request: Request, kind: MediaType, limits: FormLimits) -> Form:
    reader = _MultipartReader(limits)
    boundary = kind.parameters.get("boundary", "")
    try:
        # Not in its strict mode: whether that takes an epilogue depends on where chunks end.
        with PushMultipartParser(boundary, max_segment_count=limits.fields + limits.files) as parser:
            async for chunk in _without_preamble(request.chunks(), boundary):
                for event in parser.parse(chunk):
                    await reader.take(event)
    except ParserLimitReached as error:
        reader.form.close()
        raise Problem(BODY_TOO_LARGE, f"the multipart body is larger than allowed: {error}") from None
    except MultipartError as error:
        reader.form.close()
        raise Problem(MALFORMED_BODY, f"the multipart body is malformed: {error}") from None
    except BaseException:
        reader.form.close()
        raise
    return reader.form


async def _without_preamble(chunks: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
    """The chunks of a body that begins with its boundary; what may stand before it (RFC 2046, section 5.1.1) nobody sends.

    Raises MultipartError. Whether the parser would take a preamble depends on where chunks end.
    """
    opening = f"--{boundary}\r\n".encode()
    head: bytes | None = b""
    async for chunk in chunks:
        if head is None:
            yield chunk
            continue
        head += chunk
        if len(head) >= len(opening):
            if not head.startswith((opening, opening[:-2] + b"--")):
                break
            yield head
            head = None
    if head is not None:
        raise MultipartError("it does not begin with its boundary")


class _MultipartReader:
    """Puts the parser's events together: a segment, its bytes, None at its end."""

    def __init__(self, limits: FormLimits) -> None:
        self.form = Form([], [])
        self._limits = limits
        self._segment: MultipartSegment | None = None
        self._text = bytearray()
        self._text_total = 0
        self._upload: UploadFile | None = None

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """One event of the parser."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._finish()
        elif self._upload is not None:
            await self._write(self._upload, bytes(event))
        else:
            self._text += event
            self._text_total += len(event)
            if len(self._text) > self._limits.field_size or self._text_total > self._limits.text_size:
                raise Problem(BODY_TOO_LARGE, f"the form's field {shorten(self._name)} is larger than allowed")

    @property
    def _name(self) -> str:
        assert self._segment is not None
        return self._segment.name or ""

    def _begin(self, segment: MultipartSegment) -> None:
        self._segment = segment
        if not segment.name:
            raise Problem(MALFORMED_BODY, "a part of the multipart body has no name")
        if segment.filename is None:
            if len(self.form.fields) >= self._limits.fields:
                raise Problem(BODY_TOO_LARGE, f"a form may have {self._limits.fields} fields")
            self._text.clear()
            return
        if len(self.form.files) >= self._limits.files:
            raise Problem(BODY_TOO_LARGE, f"a form may have {self._limits.files} files")
        file = tempfile.SpooledTemporaryFile(max_size=self._limits.memory)  # noqa: SIM115 (closed by Form.close)
        kind = segment.content_type or "application/octet-stream"
        self._upload = UploadFile(self._name, _base_name(segment.filename), kind, file)
        self.form.files.append(self._upload)

    async def _write(self, upload: UploadFile, chunk: bytes) -> None:
        upload.size += len(chunk)
        if upload.size <= self._limits.memory:
            upload.file.write(chunk)
        else:
            upload.on_disk = True
            await asyncio.to_thread(upload.file.write, chunk)

    def _finish(self) -> None:
        if self._upload is not None:
            self._upload.file.seek(0)
            self._upload = None
            return
        assert self._segment is not None
        charset = (self._segment.charset or "utf-8").lower()
        if charset not in _CHARSETS:
            raise Problem(UNSUPPORTED_MEDIA_TYPE, f"the field {shorten(self._name)} has the unknown charset {shorten(charset)}")
        try:
            self.form.fields.append((self._name, self._text.decode(charset)))
        except UnicodeDecodeError:
            raise Problem(MALFORMED_BODY, f"the field {shorten(self._name)} is not {charset}") from None


def _base_name(filename: str) -> str:
    """The last part of a file name, without folders of either system and control characters."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())
