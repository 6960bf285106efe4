"""Blobs as the metadata knows them: how often each is used, and what nobody uses any more."""

from collections.abc import Iterable, Mapping

from emberbox.storage.database import Transaction
from emberbox.storage.s3_records import Piece

GARBAGE = "s3-garbage"
"""The kind of change that says that files may be removed."""


class BlobGoneError(LookupError):
    """A blob that was to be shared has been removed meanwhile."""


def take(tx: Transaction, pieces: Iterable[Piece], bodies: Mapping[str, bytes | None]) -> None:
    """Use the blobs of pieces: those in `bodies` are new, the others are shared."""
    for name, body in bodies.items():
        tx.run("blob_add", id=name, body=body)
    for piece in pieces:
        if piece.blob not in bodies and not tx.run("blob_use", id=piece.blob):
            raise BlobGoneError(piece.blob)


def leave(tx: Transaction, pieces: Iterable[Piece]) -> None:
    """Use them no more; the files of those that nobody uses are to be removed."""
    for piece in pieces:
        tx.run("blob_leave", id=piece.blob)
        unused = tx.one("blob_unused", id=piece.blob)
        if unused is None:
            continue
        tx.run("blob_remove", id=piece.blob)
        if unused["is_file"]:
            tx.run("garbage_add", blob=piece.blob)
            tx.changed(GARBAGE)
