"""Which bundle a server serves: the one that `--model` names, or the champion's where it names that.

`--model` is a bundle's folder, a `champion.json`, or the folder that holds one and is no bundle itself. Of a
champion's bundle every file must be the one that was judged.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from contracts import storage
from contracts.bundle import ModelBundle, check_files
from contracts.champion import Champion
from contracts.class_info import ClassInfo, class_info_of
from contracts.errors import InputError


class Source(NamedTuple):
    """A bundle, as it is to be served."""

    uri: str
    """Its folder."""
    champion: str | None = None
    """What named it."""
    digest: str | None = None
    """Of the champion's bundle."""

    def check(self, bundle: ModelBundle, *, require_blessed: bool) -> None:
        """Refuse a bundle that isn't the champion's, or that must be blessed and isn't.

        Raises:
            InputError: it is another by now, or the gate didn't bless it.
        """
        if self.digest not in (None, bundle.digest):
            raise InputError(
                f"{self.champion} names the bundle {self.uri} with digest {str(self.digest)[:12]}…, but the "
                f"one there has {bundle.digest[:12]}…: put the judged one back, or judge it again with "
                f"{Champion.made_by}"
            )
        if require_blessed:
            bundle.check_blessed(self.uri)


class Found(NamedTuple):
    """A bundle that may be served, with what can change beside its files."""

    bundle: ModelBundle
    class_info: Mapping[str, ClassInfo]


def find_source(model: str) -> Source:
    """Find the bundle.

    Raises:
        InputError: there is neither a bundle nor a champion, or it can't be read.
    """
    if storage.last_part(model) == Champion.file_name:
        return _champions(model.rstrip("/").removesuffix(Champion.file_name) or ".")
    if storage.exists(storage.join(model, ModelBundle.file_name)):
        return Source(model)
    if storage.exists(storage.join(model, Champion.file_name)):
        return _champions(model)
    raise InputError(
        f"{model} holds neither {ModelBundle.file_name} nor {Champion.file_name}: name the folder of a "
        f"finished bundle ({ModelBundle.made_by} writes it), or a champion ({Champion.made_by})"
    )


def read_bundle(model: str, *, require_blessed: bool) -> ModelBundle:
    """Read what is to be served, without its files.

    Raises:
        InputError: as `find_source` and `Source.check`.
    """
    return _read(find_source(model), require_blessed=require_blessed)


def check_bundle(model: str, files: Collection[str], *, require_blessed: bool) -> Found:
    """Read what is to be served, and check its files without fetching any.

    Raises:
        InputError: as `find_source`, `Source.check`, `contracts.bundle.check_files` and `class_info_of`.
    """
    source = find_source(model)
    bundle = _read(source, require_blessed=require_blessed)
    check_files(source.uri, bundle, files)
    return Found(bundle, class_info_of(source.uri, bundle))


def _read(source: Source, *, require_blessed: bool) -> ModelBundle:
    bundle = ModelBundle.read(source.uri)
    source.check(bundle, require_blessed=require_blessed)
    return bundle


def _champions(folder: str) -> Source:
    champion = Champion.read(folder)
    return Source(champion.uri(folder), storage.join(folder, champion.file_name), champion.digest)
