"""What the engines share: connections, deadlines, sessions."""

from dqmon.warehouses.base.deadline import Deadline
from dqmon.warehouses.base.session import SqlSession
from dqmon.warehouses.base.warehouse import SqlWarehouse

__all__ = ["Deadline", "SqlSession", "SqlWarehouse"]
