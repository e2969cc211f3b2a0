"""What a warehouse, an ingestion source, a channel and a detector must offer. One contract suite tests each."""

from dqmon.core.protocols.channel import ChangeTeller, Channel, Listening, Opener, Paced, Pager
from dqmon.core.protocols.detector import Detector
from dqmon.core.protocols.source import AtOnce, Lineaged, Source, Told
from dqmon.core.protocols.warehouse import Remembering, Session, Warehouse, Writable, Writer

__all__ = [
    "AtOnce",
    "ChangeTeller",
    "Channel",
    "Detector",
    "Lineaged",
    "Listening",
    "Opener",
    "Paced",
    "Pager",
    "Remembering",
    "Session",
    "Source",
    "Told",
    "Warehouse",
    "Writable",
    "Writer",
]
