"""Zip and tar archives, read member by member where they lie; nothing is ever unpacked into a folder.

A zip is read by ranged reads of its directory and its members. A tar has no directory: its headers are walked
one after the other. In either case no more than one member is held at a time, however many there are, and to
read one takes nothing but its `Member`. A compressed tar can't be entered in the middle, so it is
decompressed once, as a whole, to a temporary tar (`decompressed`).
"""

from datapipeline.records.archives.member import Archive, Member, UnreadableError
from datapipeline.records.archives.opening import SUFFIXES, decompressed, is_archive, open_archive

__all__ = ["SUFFIXES", "Archive", "Member", "UnreadableError", "decompressed", "is_archive", "open_archive"]
