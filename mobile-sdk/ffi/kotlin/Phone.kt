/*
 * The phone of a field tester, for Kotlin: suspend functions and flows over the generated package `callout.phone.ffi`.
 *
 * The core's calls block; each runs on `dispatcher`, so that any thread, the main one included, may call from a coroutine. Everything
 * works offline; `sync` does the rest. A sync does not hold up what the tester does meanwhile.
 */
package callout.phone

import callout.phone.ffi.*
import java.io.File
import java.time.Instant
import java.util.UUID
import java.util.concurrent.atomic.AtomicBoolean
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.channels.trySendBlocking
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.withContext

/** The words to show for a failure. */
val PhoneException.reason: Reason
    get() = when (val failure = this) {
        is PhoneException.NotAllowed -> failure.reason
        is PhoneException.Incomplete -> failure.reason
        is PhoneException.NotFound -> failure.reason
        is PhoneException.SignInNeeded -> failure.reason
        is PhoneException.DeviceRevoked -> failure.reason
        is PhoneException.Network -> failure.reason
        is PhoneException.Busy -> failure.reason
        is PhoneException.Storage -> failure.reason
        is PhoneException.Closed -> failure.reason
    }

/** The phone cannot tell of changes any more, as when its files went away. */
class OrderWatchEnded(val reason: Reason) : Exception(reason.textEn)

/** The phone listens no more; [end] says why, and what to do about it. */
class ListeningEnded(val end: ListenEnd) : Exception(end.reason.textEn)

val ListenEnd.reason: Reason
    get() = when (val end = this) {
        is ListenEnd.SignInNeeded -> end.reason
        is ListenEnd.DeviceRevoked -> end.reason
        is ListenEnd.Failed -> end.reason
    }

/** One tester's phone. */
class Phone(internal val core: PhoneCore, private val dispatcher: CoroutineDispatcher = Dispatchers.IO) : AutoCloseable {

    companion object {
        /** Opens the data in [folder], making it at the first start. [storeKey]: 32 bytes out of the platform's keystore. */
        suspend fun open(
            folder: File,
            storeKey: ByteArray,
            settings: PhoneSettings,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Phone = withContext(dispatcher) { Phone(PhoneCore.open(folder.path, storeKey, settings), dispatcher) }
    }

    private suspend fun <T> onCore(work: PhoneCore.() -> T): T = withContext(dispatcher) { core.work() }

    private val isClosed = AtomicBoolean()

    /** Closes the phone's files; a running sync ends first. */
    override fun close() {
        if (isClosed.compareAndSet(false, true)) {
            core.shut()
            core.close()
        }
    }

    suspend fun deviceId(): UUID = onCore { deviceId() }

    /** Signs in and enrols this device. Uses the network. */
    suspend fun signIn(userName: String, password: String): Account = onCore { signIn(userName, password) }

    suspend fun signOut(): Unit = onCore { signOut() }

    suspend fun revokedAt(): Instant? = onCore { revokedAt() }

    // Orders.

    suspend fun orders(): List<Order> = onCore { orders() }

    suspend fun order(id: UUID): Order = onCore { order(id) }

    /** By its number, its id, or an unmistakable beginning of one of them. */
    suspend fun findOrder(name: String): Order = onCore { orderFind(name) }

    /** Everything at first, then every change, until the phone is closed. A slow collector gets changes merged, and never loses one. */
    fun orderChanges(): Flow<List<OrderChange>> = callbackFlow {
        val observation = core.observeOrders(object : OrderObserver {
            override fun onChanges(changes: List<OrderChange>) {
                // Waits for the collector on the phone's own thread; what changes meanwhile comes with the next call.
                trySendBlocking(changes)
            }

            override fun onEnded(reason: Reason?) {
                close(reason?.let(::OrderWatchEnded))
            }
        })
        awaitClose {
            observation.stop()
            observation.close()
        }
    }.buffer(1).flowOn(dispatcher)

    /** All orders, the most urgent first, again after every change. */
    fun orderLists(): Flow<List<Order>> = orderChanges().conflate().map { orders() }

    // What the tester does.

    suspend fun accept(order: UUID): Order = onCore { accept(order) }

    suspend fun decline(order: UUID, reason: String): Order = onCore { decline(order, reason) }

    suspend fun contact(order: UUID, report: ContactReport): Order = onCore { contact(order, report) }

    suspend fun arrive(order: UUID, position: Position): Order = onCore { arrive(order, position) }

    suspend fun photoConsent(order: UUID, granted: Boolean): Order = onCore { photoConsent(order, granted) }

    /** Begins a capture of one operator's samples, and the order's test with it; several may run at once. */
    suspend fun capture(order: UUID, operator: Operator, source: CaptureSource = CaptureSource.Live): Capture =
        onCore { Capture(captureBegin(order, operator, source), dispatcher) }

    /** Seals the samples so far, so that the next sync carries them; says how many blocks that made. */
    suspend fun sealCaptures(order: UUID): ULong = onCore { captureSeal(order) }

    /** Adds a photo from a file, which is left as it is; the photo is safe when this returns. */
    suspend fun addPhoto(order: UUID, file: File, request: PhotoRequest): Photo = onCore { photoAddFile(order, file.path, request) }

    /** Adds a photo from memory. */
    suspend fun addPhoto(order: UUID, bytes: ByteArray, request: PhotoRequest): Photo = onCore { photoAddBytes(order, bytes, request) }

    suspend fun findings(order: UUID): FindingsDraft? = onCore { findingsDraft(order) }

    /** Lays [findings] over the draft; [PhoneException.Incomplete] tells what is missing still, and the draft is kept. */
    suspend fun writeFindings(order: UUID, findings: FindingsDraft): Order = onCore { findingsWrite(order, findings) }

    /** What the order's test must have, and what of it is on this phone. */
    suspend fun evidenceChecklist(order: UUID): List<EvidenceItem> = onCore { evidenceChecklist(order) }

    suspend fun nextVolteStep(order: UUID): VolteStep = onCore { volteNext(order) }

    /** 0 or 1 for no and yes, else the number; says what comes next. */
    suspend fun answerVolte(order: UUID, question: VolteQuestion, value: UInt): VolteStep =
        onCore { volteAnswer(order, question, value) }

    suspend fun takeBackVolteAnswer(order: UUID): VolteStep = onCore { volteBack(order) }

    suspend fun submit(order: UUID, missingOperators: List<MissingOperator> = emptyList()): Order =
        onCore { submit(order, missingOperators) }

    // The network.

    /**
     * Sends everything that waits, fetches everything new; [onProgress] is called on the dispatcher's thread. A coroutine that is
     * cancelled meanwhile is cancelled when the sync ends by itself: whatever got through is done.
     */
    suspend fun sync(waitsMax: UInt = 3u, onProgress: ((SyncProgress) -> Unit)? = null): SyncSummary =
        onCore { sync(waitsMax, onProgress?.let { listener(it) }) }

    /** As [sync], but of the app's own accord, such as from WorkManager: respects the network, the tester's wish and the server's. */
    suspend fun syncInBackground(waitsMax: UInt = 0u, onProgress: ((SyncProgress) -> Unit)? = null): BackgroundSync =
        onCore { syncInBackground(waitsMax, onProgress?.let { listener(it) }) }

    private fun listener(tell: (SyncProgress) -> Unit) = object : SyncListener {
        override fun onProgress(progress: SyncProgress) = tell(progress)
    }

    /**
     * Syncs now, and then whenever the server says that something waits, for as long as it is collected; comes back by itself when the
     * line breaks. What it brings shows in [orderChanges]. Fails with [ListeningEnded] when somebody has to sign in.
     */
    fun listen(): Flow<ListenEvent> = callbackFlow {
        val listening = core.listen(object : WakeUpListener {
            override fun onEvent(event: ListenEvent) {
                // What a slow collector misses is of no use to it any more.
                trySend(event)
            }

            override fun onEnded(end: ListenEnd?) {
                close(end?.let(::ListeningEnded))
            }
        })
        awaitClose {
            listening.stop()
            listening.close()
        }
    }.buffer(16, BufferOverflow.DROP_OLDEST).flowOn(dispatcher)

    fun setNetwork(network: Network): Unit = core.setNetwork(network)

    suspend fun meteredUse(): MeteredUse = onCore { meteredUse() }

    suspend fun setMeteredUse(use: MeteredUse): Unit = onCore { setMeteredUse(use) }

    // What is on the phone.

    suspend fun status(): PhoneStatus = onCore { status() }

    /** Everything that the server rejected, keeps apart, did not take, or fails at, with the reasons. */
    suspend fun setAside(): SetAside = onCore { setAside() }

    suspend fun resendCommand(command: UUID): Order = onCore { commandResend(command) }

    suspend fun mendCommand(command: UUID, mend: Mend): Order = onCore { commandMend(command, mend) }

    suspend fun dismissCommand(command: UUID): Unit = onCore { commandDismiss(command) }

    suspend fun resendPhoto(photo: UUID): Unit = onCore { photoResend(photo) }

    suspend fun resendBlock(hash: String): Unit = onCore { blockResend(hash) }

    suspend fun storage(): StorageUse = onCore { storageUse() }

    suspend fun setQuota(quotaBytes: ULong?): FreedStorage = onCore { setQuota(quotaBytes) }

    suspend fun freeStorage(): FreedStorage = onCore { storageFree() }

    suspend fun diagnosticsJson(): String = onCore { diagnosticsJson() }
}

/** One operator's samples. */
class Capture internal constructor(private val core: CaptureCore, private val dispatcher: CoroutineDispatcher) : AutoCloseable {
    /** Takes samples in order. What `safe` counts survives a power cut. */
    suspend fun push(samples: List<Sample>): CaptureProgress = withContext(dispatcher) { core.push(samples) }

    /** Makes everything taken safe, as when the capture pauses or ends; says how many samples of the source are. */
    suspend fun flush(): ULong = withContext(dispatcher) { core.flush() }

    val fieldTestId: UUID get() = core.fieldTestId()

    /** Lets go of the capture; flush it first. */
    override fun close() = core.close()
}

/** Several people on one phone, each with a store and a key of their own; a slot's text names its key in the keystore. */
class Accounts(folder: File, private val dispatcher: CoroutineDispatcher = Dispatchers.IO) : AutoCloseable {
    private val core = AccountsCore.open(folder.path)

    suspend fun slots(): List<String> = withContext(dispatcher) { core.list() }

    suspend fun add(): String = withContext(dispatcher) { core.add() }

    suspend fun current(): String? = withContext(dispatcher) { core.current() }

    suspend fun switchTo(slot: String) = withContext(dispatcher) { core.switchTo(slot) }

    suspend fun openPhone(slot: String, storeKey: ByteArray, settings: PhoneSettings): Phone =
        withContext(dispatcher) { Phone(core.openPhone(slot, storeKey, settings), dispatcher) }

    /** Removes the account and everything of it; refused while something is unsent. [phone] is closed then. */
    suspend fun remove(slot: String, phone: Phone) {
        withContext(dispatcher) { core.remove(slot, phone.core) }
        phone.close()
    }

    override fun close() = core.close()
}
