"""What is asked of a warehouse that may be away, slow or broken: an answer, or the failure that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

from dqmon import errors
from dqmon.core.measurement import Failure, FailureKind, MetricRequest
from dqmon.engine.measuring.planning import Outlook, failure_of, look_up
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse
    from dqmon.engine.measuring.means import Means

log = Log(__name__)

T = TypeVar("T")


def attempted(warehouse: Warehouse, work: Callable[[], T]) -> T | Failure:
    """What `work` returns, or why the warehouse did not do it. Raises StoreError only."""
    try:
        return work()
    except errors.WarehouseError as e:
        return failure_of(e)
    except errors.StoreError:
        raise
    except Exception as e:  # noqa: BLE001 - one broken warehouse type must not stop the others
        log.error("warehouse broke while measuring", warehouse=warehouse.name, error=f"{type(e).__name__}: {e}")
        said = f"the warehouse type {warehouse.type} broke while measuring: {type(e).__name__}: {e}; this is a defect of the type"
        return Failure(FailureKind.QUERY, said)


def looked_up(warehouse: Warehouse, requests: Collection[MetricRequest], means: Means) -> Outlook | Failure:
    """What is known of requests of many tables before each is measured, by one connection; or why nothing is. Raises StoreError only."""

    def ask() -> Outlook:
        with means.gate.open(warehouse, means.clock) as session:
            return look_up(warehouse, session, requests, means)

    return attempted(warehouse, ask)
