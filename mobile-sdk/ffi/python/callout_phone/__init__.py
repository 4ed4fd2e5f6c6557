"""The phone of a field tester: everything works offline, ``sync`` does the rest.

A thin layer over the generated module ``callout_phone_ffi``: a context manager, keyword arguments, generators. Every call blocks until it
is done, and any thread may call; from asyncio use ``await asyncio.to_thread(phone.sync)``. Failures are subclasses of ``PhoneError``, with
``reason.text_en`` and ``reason.text_zh`` to show.
"""

from __future__ import annotations

import atexit
import datetime
import os
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

from .callout_phone_ffi import (
    Account,
    AccountsCore,
    AffectedService,
    BackgroundSync,
    CaptureCore,
    CaptureProgress,
    CaptureSource,
    ContactOutcome,
    ContactReport,
    ContactWords,
    Customer,
    DeferredCommand,
    EvidenceItem,
    EvidenceKind,
    FindingsDraft,
    FreedStorage,
    Language,
    LeftReason,
    ListenEnd,
    ListenEvent,
    Listening,
    Mend,
    MeteredUse,
    MissingOperator,
    Network,
    NetworkGeneration,
    NotNow,
    Observation,
    Operator,
    Order,
    OrderChange,
    OrderObserver,
    PhoneCore,
    PhoneError,
    PhoneSettings,
    PhoneStatus,
    Photo,
    PhotoProcessing,
    PhotoPurpose,
    PhotoRequest,
    Position,
    Reason,
    RefusedPhoto,
    RestHours,
    Sample,
    ServingCell,
    SetAside,
    SetAsideBlock,
    SetAsideCommand,
    StorageLevel,
    StorageUse,
    Symptom,
    SyncListener,
    SyncProgress,
    SyncSummary,
    TalkWords,
    Technology,
    TimeWindow,
    Urgency,
    VolteConclusion,
    VolteQuestion,
    VolteStep,
    WakeUpListener,
    WorkOrderState,
    affected_service_name,
    contact_outcome_name,
    core_version,
    left_reason_name,
    network_generation_name,
    operator_name,
    photo_purpose_name,
    symptom_name,
    urgency_name,
    work_order_state_name,
)

__all__ = [
    "Account", "Accounts", "AffectedService", "BackgroundSync", "Capture", "CaptureProgress", "CaptureSource", "ContactOutcome",
    "ContactReport", "ContactWords", "Customer", "DeferredCommand", "EvidenceItem", "EvidenceKind", "FindingsDraft", "FreedStorage", "Language", "LeftReason", "ListenEnd", "ListenEvent",
    "Listening", "Mend",
    "MeteredUse", "MissingOperator", "Network", "NetworkGeneration", "NotNow", "Operator", "Order", "OrderChange", "OrderWatchEnded",
    "Phone", "PhoneError", "PhoneSettings", "PhoneStatus", "Photo", "PhotoProcessing", "PhotoPurpose", "PhotoRequest", "Position",
    "Reason", "RefusedPhoto", "RestHours", "Sample", "ServingCell", "SetAside", "SetAsideBlock", "SetAsideCommand", "StorageLevel",
    "StorageUse", "Symptom", "SyncProgress", "SyncSummary", "TalkWords", "Technology", "TimeWindow", "Urgency", "VolteConclusion", "VolteQuestion", "VolteStep", "WorkOrderState",
    "affected_service_name", "contact_outcome_name", "core_version", "left_reason_name", "network_generation_name", "operator_name",
    "photo_purpose_name", "symptom_name", "urgency_name", "work_order_state_name",
]

_Path = str | os.PathLike[str]


class OrderWatchEnded(Exception):
    """The phone cannot tell of changes any more; ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text_en)
        self.reason = reason


class _Mailbox(OrderObserver):
    """Hands changes to whoever iterates, and waits while they are behind: the phone merges what comes meanwhile."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batch: list[OrderChange] | None = None
        self._reason: Reason | None = None
        self._is_over = False

    def on_changes(self, changes: list[OrderChange]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._batch is None or self._is_over)
            if not self._is_over:
                self._batch = changes
                self._changed.notify_all()

    def on_ended(self, reason: Reason | None) -> None:
        with self._changed:
            self._reason = reason
        self.end()

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def batches(self) -> Iterator[list[OrderChange]]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batch is not None or self._is_over)
                batch, self._batch = self._batch, None
                self._changed.notify_all()
            if batch is not None:
                yield batch
            elif self._reason:
                raise OrderWatchEnded(self._reason)
            else:
                return


class _Progress(SyncListener):
    def __init__(self, tell: Callable[[SyncProgress], None]) -> None:
        self._tell = tell

    def on_progress(self, progress: SyncProgress) -> None:
        self._tell(progress)


class _WakeUps(WakeUpListener):
    def __init__(
        self, on_event: Callable[[ListenEvent], None] | None, on_ended: Callable[[ListenEnd | None], None] | None
    ) -> None:
        self._on_event, self._on_ended = on_event, on_ended

    def on_event(self, event: ListenEvent) -> None:
        if self._on_event:
            self._on_event(event)

    def on_ended(self, end: ListenEnd | None) -> None:
        if self._on_ended:
            self._on_ended(end)


class Capture:
    """One operator's samples. As a context manager it flushes at the end; several may run at once."""

    def __init__(self, core: CaptureCore) -> None:
        self._core = core

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def push(self, samples: Iterable[Sample]) -> CaptureProgress:
        """Takes samples in order. What ``safe`` counts survives a power cut."""
        return self._core.push(list(samples))

    def flush(self) -> int:
        """Makes everything taken safe; says how many samples of the source are."""
        return self._core.flush()

    @property
    def samples_safe(self) -> int:
        return self._core.samples_safe()

    @property
    def field_test_id(self) -> uuid.UUID:
        return self._core.field_test_id()


# Python's interpreter must not be called by a thread of the phone's once it ends.
_THREADS_PATIENCE_MS = 10_000
_open_phones: weakref.WeakSet[Phone] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for phone in list(_open_phones):
        phone.close()


class Phone:
    """One tester's phone; use it in a ``with`` statement."""

    def __init__(self, core: PhoneCore) -> None:
        self._core = core
        self._mailboxes: weakref.WeakSet[_Mailbox] = weakref.WeakSet()
        _open_phones.add(self)

    @classmethod
    def open(
        cls,
        folder: _Path,
        *,
        store_key: bytes,
        server_url: str,
        device_name: str = "phone",
        allows_plain_http: bool = False,
    ) -> Phone:
        """Opens the data in ``folder``, making it at the first start. ``store_key``: 32 bytes out of the platform's keystore."""
        settings = PhoneSettings(server_url=server_url, device_name=device_name, allows_plain_http=allows_plain_http)
        return cls(PhoneCore.open(os.fspath(folder), store_key, settings))

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the phone's files; a running sync ends first, and so do the phone's threads."""
        for mailbox in list(self._mailboxes):
            mailbox.end()
        self._core.shut()
        self._core.wait_for_threads(_THREADS_PATIENCE_MS)

    @property
    def device_id(self) -> uuid.UUID:
        return self._core.device_id()

    def sign_in(self, user_name: str, password: str) -> Account:
        """Signs in and enrols this device. Uses the network."""
        return self._core.sign_in(user_name, password)

    def sign_out(self) -> None:
        self._core.sign_out()

    @property
    def revoked_at(self) -> datetime.datetime | None:
        return self._core.revoked_at()

    # Orders.

    def orders(self) -> list[Order]:
        """Every order, the most urgent first; those that left at the end."""
        return self._core.orders()

    def order(self, order_id: uuid.UUID) -> Order:
        return self._core.order(order_id)

    def find_order(self, name: str) -> Order:
        """By its number, its id, or an unmistakable beginning of one of them."""
        return self._core.order_find(name)

    def on_order_changes(
        self, tell: Callable[[list[OrderChange]], None], *, on_ended: Callable[[Reason | None], None] | None = None
    ) -> Observation:
        """Calls ``tell`` with everything at first and then with every change, on a thread of the phone's, until ``stop()``.

        ``on_ended`` is told at the end, with a reason if the phone cannot tell any more, as when its files went away."""

        class Observer(OrderObserver):
            def on_changes(self, changes: list[OrderChange]) -> None:
                tell(changes)

            def on_ended(self, reason: Reason | None) -> None:
                if on_ended:
                    on_ended(reason)

        return self._core.observe_orders(Observer())

    @contextmanager
    def watch_orders(self) -> Iterator[Iterator[list[OrderChange]]]:
        """``with phone.watch_orders() as changes: for batch in changes: …``; everything at first, then every change, until ``close()``."""
        mailbox = _Mailbox()
        self._mailboxes.add(mailbox)
        observation = self._core.observe_orders(mailbox)
        try:
            yield mailbox.batches()
        finally:
            mailbox.end()
            observation.stop()

    # What the tester does.

    def accept(self, order_id: uuid.UUID) -> Order:
        return self._core.accept(order_id)

    def decline(self, order_id: uuid.UUID, reason: str) -> Order:
        return self._core.decline(order_id, reason)

    def contact(
        self,
        order_id: uuid.UUID,
        outcome: ContactOutcome,
        *,
        appointment: TimeWindow | None = None,
        emergency_reason: str | None = None,
        note: str | None = None,
    ) -> Order:
        report = ContactReport(outcome=outcome, appointment=appointment, emergency_reason=emergency_reason, note=note)
        return self._core.contact(order_id, report)

    def arrive(self, order_id: uuid.UUID, position: Position) -> Order:
        return self._core.arrive(order_id, position)

    def photo_consent(self, order_id: uuid.UUID, granted: bool) -> Order:
        return self._core.photo_consent(order_id, granted)

    def capture(self, order_id: uuid.UUID, operator: Operator, source: CaptureSource | None = None) -> Capture:
        """Begins a capture, live unless ``source`` is a log, and the order's test with it."""
        return Capture(self._core.capture_begin(order_id, operator, source or CaptureSource.LIVE()))

    def seal_captures(self, order_id: uuid.UUID) -> int:
        """Seals the samples so far, so that the next sync carries them; says how many blocks that made."""
        return self._core.capture_seal(order_id)

    def add_photo(
        self,
        order_id: uuid.UUID,
        photo: _Path | bytes,
        purpose: PhotoPurpose,
        *,
        captured_at: datetime.datetime | None = None,
        position: Position | None = None,
        processing: PhotoProcessing | None = None,
    ) -> Photo:
        """Adds a photo from a file or from its bytes; it is safe when this returns."""
        request = PhotoRequest(purpose=purpose, captured_at=captured_at, position=position, processing=processing)
        if isinstance(photo, bytes):
            return self._core.photo_add_bytes(order_id, photo, request)
        return self._core.photo_add_file(order_id, os.fspath(photo), request)

    def findings(self, order_id: uuid.UUID) -> FindingsDraft | None:
        return self._core.findings_draft(order_id)

    def write_findings(self, order_id: uuid.UUID, findings: FindingsDraft) -> Order:
        """Lays ``findings`` over the draft; ``PhoneError.Incomplete`` tells what is missing still, and the draft is kept."""
        return self._core.findings_write(order_id, findings)

    def evidence_checklist(self, order_id: uuid.UUID) -> list[EvidenceItem]:
        """What the order's test must have, and what of it is on this phone."""
        return self._core.evidence_checklist(order_id)

    def next_volte_step(self, order_id: uuid.UUID) -> VolteStep:
        return self._core.volte_next(order_id)

    def answer_volte(self, order_id: uuid.UUID, question: VolteQuestion, value: int) -> VolteStep:
        """0 or 1 for no and yes, else the number; says what comes next."""
        return self._core.volte_answer(order_id, question, value)

    def take_back_volte_answer(self, order_id: uuid.UUID) -> VolteStep:
        return self._core.volte_back(order_id)

    def submit(self, order_id: uuid.UUID, missing_operators: Iterable[MissingOperator] = ()) -> Order:
        return self._core.submit(order_id, list(missing_operators))

    # The network.

    def sync(self, *, waits_max: int = 3, on_progress: Callable[[SyncProgress], None] | None = None) -> SyncSummary:
        """Sends everything that waits, fetches everything new. ``waits_max``: waits in a row without anything getting through."""
        return self._core.sync(waits_max, _Progress(on_progress) if on_progress else None)

    def sync_in_background(
        self, *, waits_max: int = 0, on_progress: Callable[[SyncProgress], None] | None = None
    ) -> BackgroundSync:
        """As ``sync``, but of the app's own accord: respects the network, the tester's wish and the server's."""
        return self._core.sync_in_background(waits_max, _Progress(on_progress) if on_progress else None)

    def listen(
        self, on_event: Callable[[ListenEvent], None] | None = None, *, on_ended: Callable[[ListenEnd | None], None] | None = None
    ) -> Listening:
        """Syncs now, and then whenever the server says that something waits, on a thread of the phone's, until ``stop()``.

        Comes back by itself when the line breaks. What it brings shows in ``watch_orders``. ``on_ended`` is told at the end, with a
        reason when somebody has to sign in, or when it cannot go on."""
        return self._core.listen(_WakeUps(on_event, on_ended))

    def set_network(self, network: Network) -> None:
        self._core.set_network(network)

    @property
    def metered_use(self) -> MeteredUse:
        return self._core.metered_use()

    @metered_use.setter
    def metered_use(self, metered_use: MeteredUse) -> None:
        self._core.set_metered_use(metered_use)

    # What is on the phone.

    def status(self) -> PhoneStatus:
        return self._core.status()

    def set_aside(self) -> SetAside:
        """Everything that the server rejected, keeps apart, did not take, or fails at, with the reasons."""
        return self._core.set_aside()

    def resend_command(self, command_id: uuid.UUID) -> Order:
        return self._core.command_resend(command_id)

    def mend_command(self, command_id: uuid.UUID, mend: Mend) -> Order:
        return self._core.command_mend(command_id, mend)

    def dismiss_command(self, command_id: uuid.UUID) -> None:
        self._core.command_dismiss(command_id)

    def resend_photo(self, photo_id: uuid.UUID) -> None:
        self._core.photo_resend(photo_id)

    def resend_block(self, block_hash: str) -> None:
        self._core.block_resend(block_hash)

    def storage(self) -> StorageUse:
        return self._core.storage_use()

    def set_quota(self, quota_bytes: int | None) -> FreedStorage:
        return self._core.set_quota(quota_bytes)

    def free_storage(self) -> FreedStorage:
        return self._core.storage_free()

    def diagnostics_json(self) -> str:
        return self._core.diagnostics_json()


class Accounts:
    """Several people on one phone, each with a store and a key of their own; a slot's text names its key in the keystore."""

    def __init__(self, folder: _Path) -> None:
        self._core = AccountsCore.open(os.fspath(folder))

    def slots(self) -> list[str]:
        return self._core.list()

    def add(self) -> str:
        return self._core.add()

    @property
    def current(self) -> str | None:
        return self._core.current()

    def switch_to(self, slot: str) -> None:
        self._core.switch_to(slot)

    def open_phone(self, slot: str, *, store_key: bytes, settings: PhoneSettings) -> Phone:
        return Phone(self._core.open_phone(slot, store_key, settings))

    def remove(self, slot: str, phone: Phone) -> None:
        """Removes the account and everything of it; refused while something is unsent. ``phone`` is closed then."""
        self._core.remove(slot, phone._core)
