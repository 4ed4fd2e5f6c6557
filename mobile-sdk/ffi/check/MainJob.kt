/* The tester's job by the Kotlin bindings; see against_server.py for what it gets and what is compared afterwards. */
package callout.phone.check

import callout.phone.ListeningEnded
import callout.phone.Phone
import callout.phone.ffi.*
import callout.phone.reason
import java.io.File
import java.time.Duration
import java.time.Instant
import kotlin.system.exitProcess
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

private fun setting(name: String) = requireNotNull(System.getenv("CALLOUT_CHECK_$name")) { name }

private val samplesWanted = setting("SAMPLES").toInt()
private val key = ByteArray(32) { it.toByte() }
private val now = Instant.now()
private val place = Position(latitudeDegrees = 30.55, longitudeDegrees = 114.31, accuracyMetres = 8u)

private fun sample(number: Int) = Sample(
    capturedAt = now.plusMillis(100L * number),
    technology = Technology.LTE,
    levelDbm = (-95 - number % 20).toShort(),
    qualityDb = -11.5,
    sinrDb = number % 30 / 2.0,
    cell = ServingCell(cellIdentity = 54_825_473u, physicalCellId = (number % 504).toUShort(), channel = 1300u),
    position = Position(latitudeDegrees = 30.55 + number * 1e-6, longitudeDegrees = 114.31),
    roundTripMs = 23.4,
)

private suspend inline fun <reified E : PhoneException> expectError(call: () -> Unit): E {
    try {
        call()
    } catch (error: PhoneException) {
        check(error is E) { "another failure: $error" }
        check(error.reason.textEn.isNotEmpty() && error.reason.textZh.isNotEmpty())
        return error
    }
    error("did not fail with ${E::class.simpleName}")
}

/** The order comes by the flow, because a sync at the same time brings it. */
private suspend fun arrivedOrder(phone: Phone): Order = coroutineScope {
    val progress = mutableListOf<SyncProgress>()
    val atFirst = CompletableDeferred<List<OrderChange>>()
    val arriving = async { phone.orderChanges().onEach { atFirst.complete(it) }.first { it.isNotEmpty() } }
    check(withTimeout(30_000) { atFirst.await() }.isEmpty()) { "nothing is there before the first sync" }
    phone.sync { progress += it }
    check(progress.any { it is SyncProgress.RoundDone })
    (withTimeout(30_000) { arriving.await() }.single() as OrderChange.Shown).order
}

private suspend fun fieldTest(phone: Phone) {
    expectError<PhoneException.SignInNeeded> { phone.sync() }
    expectError<PhoneException.SignInNeeded> { phone.signIn(setting("USER"), "a wrong password") }
    check(phone.signIn(setting("USER"), setting("PASSWORD")).userName == setting("USER"))
    val order = arrivedOrder(phone)
    check(order.state == WorkOrderState.DISPATCHED)
    check(workOrderStateName(order.state, Language.CHINESE) == "已派单")

    // From here on without a network.
    phone.setNetwork(Network.ABSENT)
    check(phone.syncInBackground() is BackgroundSync.Postponed)
    check(expectError<PhoneException.NotAllowed> { phone.submit(order.id) }.reason.problem != null)
    check(phone.accept(order.id).state == WorkOrderState.ACCEPTED)
    val appointment = TimeWindow(beginsAt = now + Duration.ofHours(1), endsAt = now + Duration.ofHours(2))
    phone.contact(order.id, ContactReport(ContactOutcome.REACHED, appointment, emergencyReason = "检查 check", note = "明天 tomorrow"))
    check(phone.arrive(order.id, place).state == WorkOrderState.ON_SITE)
    phone.photoConsent(order.id, true)
    for (operator in listOf(Operator.CHINA_MOBILE, Operator.CHINA_UNICOM, Operator.CHINA_TELECOM)) {
        phone.capture(order.id, operator).use { capture ->
            for (batch in (0 until samplesWanted).chunked(40)) {
                val progress = capture.push(batch.map(::sample))
                check(progress.taken == batch.size.toULong() && progress.refused == 0uL && progress.trouble == null) { "$progress" }
            }
            check(capture.flush() == samplesWanted.toULong())
        }
    }
    val request = PhotoRequest(
        purpose = PhotoPurpose.INDOORS,
        position = place,
        processing = PhotoProcessing.Upright(sideMaxPixels = 64u, qualityPercent = 80u),
    )
    check(phone.addPhoto(order.id, File(setting("PHOTO")).readBytes(), request).mediaType == "image/jpeg")
    val incomplete = expectError<PhoneException.Incomplete> {
        phone.writeFindings(order.id, FindingsDraft(problem = "室内弱覆盖 weak indoors"))
    }
    check("address" in incomplete.missing)
    phone.writeFindings(
        order.id,
        FindingsDraft(
            generation = NetworkGeneration.LTE,
            service = AffectedService.DATA,
            occurs = "晚上 evenings",
            address = "滨河路12号",
            position = place,
        ),
    )
    val submitted = phone.submit(order.id)
    check(submitted.state == WorkOrderState.SUBMITTED && submitted.serverState == WorkOrderState.DISPATCHED)

    phone.setNetwork(Network.UNMETERED)
    val summary = phone.sync()
    check(summary.commandsRejected == 0uL && summary.blocksStored >= 3uL && summary.photosStored == 1uL) { "$summary" }
    val status = phone.status()
    check(status.commandsWaiting == 0uL && status.samplesHeldByServer == 3uL * samplesWanted.toULong()) { "$status" }
    val aside = phone.setAside()
    check(aside.commands.isEmpty() && aside.deferred.isEmpty() && aside.blocks.isEmpty() && aside.photos.isEmpty()) { "$aside" }
    check(phone.order(order.id).serverState == WorkOrderState.SUBMITTED)
    orderByWakeUp(phone)
}

/** Another order comes although nobody asks for it; signing out ends the listening. */
private suspend fun orderByWakeUp(phone: Phone): Unit = coroutineScope {
    val arriving = async { phone.orderLists().first { it.size == 2 } }
    val ended = async {
        try {
            phone.listen().collect { if (it is ListenEvent.Connected) File(setting("LISTENS")).createNewFile() }
            null
        } catch (failure: ListeningEnded) {
            failure.end
        }
    }
    withTimeout(60_000) { arriving.await() }
    phone.signOut()
    check(withTimeout(30_000) { ended.await() } is ListenEnd.SignInNeeded)
    // Closing ends whoever watches, too.
    val watched = CompletableDeferred<Unit>()
    val watching = async { phone.orderChanges().onEach { watched.complete(Unit) }.collect() }
    watched.await()
    phone.close()
    withTimeout(30_000) { watching.await() }
}

fun main() {
    val settings = PhoneSettings(serverUrl = setting("API"), deviceName = "kotlin check")
    runBlocking {
        expectError<PhoneException.NotAllowed> { Phone.open(File(setting("DATA")), ByteArray(5), settings) }
        Phone.open(File(setting("DATA")), key, settings).use { fieldTest(it) }
    }
    // Dispatchers' threads are daemons; nothing of the phone's is left either.
    exitProcess(0)
}
