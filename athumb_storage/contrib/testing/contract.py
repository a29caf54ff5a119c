"""The contract as a whole."""

from __future__ import annotations

from athumb_storage.contrib.testing.deleting import DeletingContract
from athumb_storage.contrib.testing.failing import FailingContract
from athumb_storage.contrib.testing.generating import GeneratingContract
from athumb_storage.contrib.testing.naming import NamingContract
from athumb_storage.contrib.testing.options import OptionsContract
from athumb_storage.contrib.testing.originals import OriginalsContract
from athumb_storage.contrib.testing.saving import SavingContract
from athumb_storage.contrib.testing.variants import VariantsContract


class StorageContract(
    SavingContract,
    FailingContract,
    DeletingContract,
    GeneratingContract,
    NamingContract,
    OptionsContract,
    VariantsContract,
    OriginalsContract,
):
    """Tests of what every storage with thumbs does.

    A subclass, whose name begins with `Test`, gives the fixture `make_storage`. Where its storage is unlike others, it
    overrides what `Contract` says of storages.
    """
