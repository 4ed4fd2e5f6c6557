"""The tester's job by the Python bindings; see against_server.py for what it gets and what is compared afterwards."""

import datetime
import os
import pathlib
import queue
import threading

from callout_phone import (
    AffectedService, BackgroundSync, ContactOutcome, FindingsDraft, Language, ListenEnd, ListenEvent, Network, NetworkGeneration, Operator, OrderChange, Phone,
    PhoneError, PhotoPurpose, PhotoProcessing, Position, Sample, ServingCell, StorageLevel, SyncProgress, Technology, TimeWindow,
    WorkOrderState, operator_name, work_order_state_name,
)

API, USER, PASSWORD, DATA, PHOTO, LISTENS = (
    os.environ["CALLOUT_CHECK_" + name] for name in ("API", "USER", "PASSWORD", "DATA", "PHOTO", "LISTENS"))
SAMPLES = int(os.environ["CALLOUT_CHECK_SAMPLES"])
KEY = bytes(range(32))
NOW = datetime.datetime.now(datetime.timezone.utc)
PLACE = Position(latitude_degrees=30.55, longitude_degrees=114.31, accuracy_metres=8)


def sample(number: int) -> Sample:
    return Sample(
        captured_at=NOW + datetime.timedelta(milliseconds=100 * number),
        technology=Technology.LTE,
        level_dbm=-95 - number % 20,
        quality_db=-11.5,
        sinr_db=number % 30 / 2,
        cell=ServingCell(cell_identity=54_825_473, physical_cell_id=number % 504, channel=1300),
        position=Position(latitude_degrees=30.55 + number * 1e-6, longitude_degrees=114.31),
        round_trip_ms=23.4,
    )


def expect_error(kind: type[PhoneError], call) -> PhoneError:
    try:
        call()
    except kind as error:
        assert error.reason.text_en and error.reason.text_zh, error
        return error
    raise AssertionError(f"{call} did not fail with {kind}")


def arrived_order(phone: Phone):
    """The order comes by the watch, because a sync on another thread brings it."""
    with phone.watch_orders() as batches:
        assert next(batches) == [], "nothing is there before the first sync"
        progress: list[SyncProgress] = []
        syncing = threading.Thread(target=lambda: phone.sync(on_progress=progress.append))
        syncing.start()
        change = next(batches)[0]
        syncing.join()
    assert isinstance(change, OrderChange.SHOWN), change
    assert any(isinstance(item, SyncProgress.ROUND_DONE) for item in progress), progress
    return change.order


def order_by_wake_up(phone: Phone) -> None:
    """Another order comes although nobody asks for it; signing out ends the listening."""
    ended: queue.Queue[ListenEnd | None] = queue.Queue()

    def on_event(event: ListenEvent) -> None:
        if isinstance(event, ListenEvent.CONNECTED):
            pathlib.Path(LISTENS).touch()

    with phone.watch_orders() as batches:
        assert len(next(batches)) == 1
        phone.set_network(Network.UNMETERED)
        listening = phone.listen(on_event, on_ended=ended.put)
        # The first order shows, too, as soon as its steps are with the server.
        assert any(len(phone.orders()) == 2 for _ in batches)
    phone.sign_out()
    assert isinstance(ended.get(timeout=30), ListenEnd.SIGN_IN_NEEDED)
    listening.stop()
    # Closing ends whoever watches, too.
    with phone.watch_orders() as batches:
        next(batches)
        phone.close()
        assert list(batches) == []


def main() -> None:
    expect_error(PhoneError.NotAllowed, lambda: Phone.open(DATA, store_key=b"short", server_url=API))
    with Phone.open(DATA, store_key=KEY, server_url=API, device_name="python check") as phone:
        expect_error(PhoneError.SignInNeeded, phone.sync)
        expect_error(PhoneError.SignInNeeded, lambda: phone.sign_in(USER, "a wrong password"))
        account = phone.sign_in(USER, PASSWORD)
        assert account.user_name == USER
        order = arrived_order(phone)
        assert order.state == WorkOrderState.DISPATCHED
        assert work_order_state_name(order.state, Language.CHINESE) == "已派单"
        assert operator_name(Operator.CHINA_MOBILE, Language.ENGLISH) == "china mobile"

        # From here on without a network.
        phone.set_network(Network.ABSENT)
        assert isinstance(phone.sync_in_background(), BackgroundSync.POSTPONED)
        refused = expect_error(PhoneError.NotAllowed, lambda: phone.submit(order.id))
        assert refused.reason.problem, refused
        assert phone.accept(order.id).state == WorkOrderState.ACCEPTED
        appointment = TimeWindow(begins_at=NOW + datetime.timedelta(hours=1), ends_at=NOW + datetime.timedelta(hours=2))
        phone.contact(order.id, ContactOutcome.REACHED, appointment=appointment, emergency_reason="检查 check", note="明天 tomorrow")
        assert phone.arrive(order.id, PLACE).state == WorkOrderState.ON_SITE
        phone.photo_consent(order.id, True)
        for operator in (Operator.CHINA_MOBILE, Operator.CHINA_UNICOM, Operator.CHINA_TELECOM):
            with phone.capture(order.id, operator) as capture:
                for begin in range(0, SAMPLES, 40):
                    progress = capture.push(sample(number) for number in range(begin, begin + 40))
                    assert (progress.taken, progress.refused, progress.trouble) == (40, 0, None), progress
            assert capture.samples_safe == SAMPLES
        photo = phone.add_photo(
            order.id, PHOTO, PhotoPurpose.INDOORS, position=PLACE, processing=PhotoProcessing.UPRIGHT(side_max_pixels=64, quality_percent=80))
        assert photo.media_type == "image/jpeg" and photo.byte_length > 0
        missing = expect_error(
            PhoneError.Incomplete, lambda: phone.write_findings(order.id, FindingsDraft(problem="室内弱覆盖 weak indoors")))
        assert "address" in missing.missing
        phone.write_findings(order.id, FindingsDraft(
            generation=NetworkGeneration.LTE, service=AffectedService.DATA, occurs="晚上 evenings", address="滨河路12号", position=PLACE))
        submitted = phone.submit(order.id)
        assert submitted.state == WorkOrderState.SUBMITTED and submitted.server_state == WorkOrderState.DISPATCHED
        assert phone.status().samples == 3 * SAMPLES
        device = phone.device_id
    # The app was killed; everything is still there.
    with Phone.open(DATA, store_key=KEY, server_url=API) as phone:
        assert phone.device_id == device
        summary = phone.sync()
        assert summary.commands_rejected == 0 and summary.blocks_stored >= 3 and summary.photos_stored == 1, summary
        status, aside = phone.status(), phone.set_aside()
        assert status.commands_waiting == 0 and status.samples_held_by_server == 3 * SAMPLES and status.photos_stored == 1, status
        assert not (aside.commands or aside.deferred or aside.blocks or aside.photos), aside
        assert phone.order(order.id).server_state == WorkOrderState.SUBMITTED
        assert phone.storage().level == StorageLevel.FINE
        assert "python check" not in phone.diagnostics_json()
        order_by_wake_up(phone)
    expect_error(PhoneError.Closed, phone.orders)
    expect_error(PhoneError.Storage, lambda: Phone.open(DATA, store_key=bytes(32), server_url=API))


main()
