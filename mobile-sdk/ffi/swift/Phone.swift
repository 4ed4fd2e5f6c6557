// The phone of a field tester, for Swift: async functions and streams over the generated file CalloutPhoneFFI.swift, which belongs to
// the same module.
//
// The core's calls block; each runs on a dispatch queue of the phone's, never on Swift's cooperative threads. Everything works offline;
// `sync` does the rest. A sync has a queue of its own and does not hold up what the tester does meanwhile.

import Foundation

/// The phone cannot tell of changes any more.
public struct OrderWatchEnded: Error, Sendable {
    public let reason: Reason
}

extension PhoneError {
    /// The words to show for a failure.
    public var reason: Reason {
        switch self {
        case let .NotAllowed(reason): return reason
        case let .Incomplete(_, reason): return reason
        case let .NotFound(reason): return reason
        case let .SignInNeeded(reason): return reason
        case let .DeviceRevoked(reason): return reason
        case let .Network(_, reason): return reason
        case let .Busy(reason): return reason
        case let .Storage(_, reason): return reason
        case let .Closed(reason): return reason
        }
    }
}

private func blocking<T>(on queue: DispatchQueue, _ work: @escaping () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        queue.async { continuation.resume(with: Result { try work() }) }
    }
}

/// Passes what the phone tells on to the stream, which keeps, one after the other, what its reader has not taken yet.
private final class StreamObserver: OrderObserver, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<[OrderChange], Error>.Continuation

    init(_ continuation: AsyncThrowingStream<[OrderChange], Error>.Continuation) {
        self.continuation = continuation
    }

    func onChanges(changes: [OrderChange]) throws {
        continuation.yield(changes)
    }

    func onEnded(reason: Reason?) throws {
        continuation.finish(throwing: reason.map { OrderWatchEnded(reason: $0) })
    }
}

/// The phone listens no more; `end` says why.
public struct ListeningEnded: Error, Sendable {
    public let end: ListenEnd
}

private final class StreamListener: WakeUpListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<ListenEvent, Error>.Continuation

    init(_ continuation: AsyncThrowingStream<ListenEvent, Error>.Continuation) {
        self.continuation = continuation
    }

    func onEvent(event: ListenEvent) throws {
        continuation.yield(event)
    }

    func onEnded(end: ListenEnd?) throws {
        continuation.finish(throwing: end.map { ListeningEnded(end: $0) })
    }
}

private final class ProgressListener: SyncListener, @unchecked Sendable {
    private let tell: @Sendable (SyncProgress) -> Void

    init(_ tell: @escaping @Sendable (SyncProgress) -> Void) {
        self.tell = tell
    }

    func onProgress(progress: SyncProgress) throws {
        tell(progress)
    }
}

/// One tester's phone.
public final class Phone: @unchecked Sendable {
    fileprivate let core: PhoneCore
    private let acts = DispatchQueue(label: "callout.phone.acts")
    private let line = DispatchQueue(label: "callout.phone.line")

    fileprivate init(core: PhoneCore) {
        self.core = core
    }

    /// Opens the data in `folder`, making it at the first start. `storeKey`: 32 bytes out of the Keychain.
    public static func open(folder: URL, storeKey: Data, settings: PhoneSettings) async throws -> Phone {
        let core = try await blocking(on: DispatchQueue.global(qos: .userInitiated)) {
            try PhoneCore.open(folder: folder.path, storeKey: storeKey, settings: settings)
        }
        return Phone(core: core)
    }

    private func act<T>(_ work: @escaping (PhoneCore) throws -> T) async throws -> T {
        let core = self.core
        return try await blocking(on: acts) { try work(core) }
    }

    private func talk<T>(_ work: @escaping (PhoneCore) throws -> T) async throws -> T {
        let core = self.core
        return try await blocking(on: line) { try work(core) }
    }

    /// Closes the phone's files; a running sync ends first.
    public func close() {
        core.shut()
    }

    public func deviceId() async throws -> UUID { try await act { try $0.deviceId() } }

    /// Signs in and enrols this device. Uses the network.
    public func signIn(userName: String, password: String) async throws -> Account {
        try await talk { try $0.signIn(userName: userName, password: password) }
    }

    public func signOut() async throws { try await act { try $0.signOut() } }

    public func revokedAt() async throws -> Date? { try await act { try $0.revokedAt() } }

    // MARK: Orders

    public func orders() async throws -> [Order] { try await act { try $0.orders() } }

    public func order(_ id: UUID) async throws -> Order { try await act { try $0.order(order: id) } }

    /// By its number, its id, or an unmistakable beginning of one of them.
    public func findOrder(_ name: String) async throws -> Order { try await act { try $0.orderFind(name: name) } }

    /// Everything at first, then every change, for as long as the stream is read and the phone is open.
    public func orderChanges() -> AsyncThrowingStream<[OrderChange], Error> {
        AsyncThrowingStream { continuation in
            do {
                let observation = try core.observeOrders(observer: StreamObserver(continuation))
                continuation.onTermination = { _ in observation.stop() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    // MARK: What the tester does

    public func accept(_ order: UUID) async throws -> Order { try await act { try $0.accept(order: order) } }

    public func decline(_ order: UUID, reason: String) async throws -> Order {
        try await act { try $0.decline(order: order, reason: reason) }
    }

    public func contact(_ order: UUID, report: ContactReport) async throws -> Order {
        try await act { try $0.contact(order: order, report: report) }
    }

    public func arrive(_ order: UUID, at position: Position) async throws -> Order {
        try await act { try $0.arrive(order: order, position: position) }
    }

    public func photoConsent(_ order: UUID, granted: Bool) async throws -> Order {
        try await act { try $0.photoConsent(order: order, granted: granted) }
    }

    /// Begins a capture of one operator's samples, and the order's test with it; several may run at once.
    public func capture(_ order: UUID, operator networkOperator: Operator, source: CaptureSource = .live) async throws -> Capture {
        let core = try await act { try $0.captureBegin(order: order, operator: networkOperator, source: source) }
        return Capture(core: core)
    }

    /// Seals the samples so far, so that the next sync carries them; says how many blocks that made.
    @discardableResult
    public func sealCaptures(_ order: UUID) async throws -> UInt64 { try await act { try $0.captureSeal(order: order) } }

    /// Adds a photo from a file, which is left as it is; the photo is safe when this returns.
    public func addPhoto(_ order: UUID, file: URL, request: PhotoRequest) async throws -> Photo {
        try await act { try $0.photoAddFile(order: order, path: file.path, request: request) }
    }

    /// Adds a photo from memory.
    public func addPhoto(_ order: UUID, bytes: Data, request: PhotoRequest) async throws -> Photo {
        try await act { try $0.photoAddBytes(order: order, bytes: bytes, request: request) }
    }

    public func findings(_ order: UUID) async throws -> FindingsDraft? { try await act { try $0.findingsDraft(order: order) } }

    /// Lays `findings` over the draft; `PhoneError.Incomplete` tells what is missing still, and the draft is kept.
    public func writeFindings(_ order: UUID, _ findings: FindingsDraft) async throws -> Order {
        try await act { try $0.findingsWrite(order: order, newer: findings) }
    }

    /// What the order's test must have, and what of it is on this phone.
    public func evidenceChecklist(_ order: UUID) async throws -> [EvidenceItem] {
        try await act { try $0.evidenceChecklist(order: order) }
    }

    public func nextVolteStep(_ order: UUID) async throws -> VolteStep { try await act { try $0.volteNext(order: order) } }

    /// 0 or 1 for no and yes, else the number; says what comes next.
    public func answerVolte(_ order: UUID, _ question: VolteQuestion, value: UInt32) async throws -> VolteStep {
        try await act { try $0.volteAnswer(order: order, question: question, value: value) }
    }

    public func takeBackVolteAnswer(_ order: UUID) async throws -> VolteStep { try await act { try $0.volteBack(order: order) } }

    public func submit(_ order: UUID, missingOperators: [MissingOperator] = []) async throws -> Order {
        try await act { try $0.submit(order: order, missingOperators: missingOperators) }
    }

    // MARK: The network

    /// Sends everything that waits, fetches everything new; `onProgress` is called on the sync's own queue.
    public func sync(waitsMax: UInt32 = 3, onProgress: (@Sendable (SyncProgress) -> Void)? = nil) async throws -> SyncSummary {
        try await talk { try $0.sync(waitsMax: waitsMax, listener: onProgress.map(ProgressListener.init)) }
    }

    /// As `sync`, but of the app's own accord, such as from BGTaskScheduler: respects the network, the tester's wish and the server's.
    public func syncInBackground(
        waitsMax: UInt32 = 0, onProgress: (@Sendable (SyncProgress) -> Void)? = nil
    ) async throws -> BackgroundSync {
        try await talk { try $0.syncInBackground(waitsMax: waitsMax, listener: onProgress.map(ProgressListener.init)) }
    }

    /// Syncs now, and then whenever the server says that something waits, for as long as the stream is read; comes back by itself when
    /// the line breaks. What it brings shows in `orderChanges`. Fails with `ListeningEnded` when somebody has to sign in.
    public func listen() -> AsyncThrowingStream<ListenEvent, Error> {
        // What a slow reader misses is of no use to it any more.
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
            do {
                let listening = try core.listen(listener: StreamListener(continuation))
                continuation.onTermination = { _ in listening.stop() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    public func setNetwork(_ network: Network) { core.setNetwork(network: network) }

    public func meteredUse() async throws -> MeteredUse { try await act { try $0.meteredUse() } }

    public func setMeteredUse(_ use: MeteredUse) async throws { try await act { try $0.setMeteredUse(meteredUse: use) } }

    // MARK: What is on the phone

    public func status() async throws -> PhoneStatus { try await act { try $0.status() } }

    /// Everything that the server rejected, keeps apart, did not take, or fails at, with the reasons.
    public func setAside() async throws -> SetAside { try await act { try $0.setAside() } }

    public func resendCommand(_ command: UUID) async throws -> Order { try await act { try $0.commandResend(command: command) } }

    public func mendCommand(_ command: UUID, with mend: Mend) async throws -> Order {
        try await act { try $0.commandMend(command: command, mend: mend) }
    }

    public func dismissCommand(_ command: UUID) async throws { try await act { try $0.commandDismiss(command: command) } }

    public func resendPhoto(_ photo: UUID) async throws { try await act { try $0.photoResend(photo: photo) } }

    public func resendBlock(_ hash: String) async throws { try await act { try $0.blockResend(hash: hash) } }

    public func storage() async throws -> StorageUse { try await act { try $0.storageUse() } }

    public func setQuota(bytes: UInt64?) async throws -> FreedStorage { try await act { try $0.setQuota(quotaBytes: bytes) } }

    public func freeStorage() async throws -> FreedStorage { try await act { try $0.storageFree() } }

    public func diagnosticsJson() async throws -> String { try await act { try $0.diagnosticsJson() } }
}

/// One operator's samples.
public final class Capture: @unchecked Sendable {
    private let core: CaptureCore
    private let queue = DispatchQueue(label: "callout.phone.capture")

    fileprivate init(core: CaptureCore) {
        self.core = core
    }

    /// Takes samples in order. What `safe` counts survives a power cut.
    @discardableResult
    public func push(_ samples: [Sample]) async throws -> CaptureProgress {
        let core = self.core
        return try await blocking(on: queue) { try core.push(samples: samples) }
    }

    /// Makes everything taken safe, as when the capture pauses or ends; says how many samples of the source are.
    @discardableResult
    public func flush() async throws -> UInt64 {
        let core = self.core
        return try await blocking(on: queue) { try core.flush() }
    }

    public var fieldTestId: UUID { core.fieldTestId() }
}

/// Several people on one phone, each with a store and a key of their own; a slot's text names its key in the Keychain.
public final class Accounts: @unchecked Sendable {
    private let core: AccountsCore
    private let queue = DispatchQueue(label: "callout.phone.accounts")

    public init(folder: URL) throws {
        core = try AccountsCore.open(folder: folder.path)
    }

    public func slots() throws -> [String] { try core.list() }

    public func add() throws -> String { try core.add() }

    public var current: String? { core.current() }

    public func switchTo(_ slot: String) throws { try core.switchTo(slot: slot) }

    public func openPhone(slot: String, storeKey: Data, settings: PhoneSettings) async throws -> Phone {
        let core = self.core
        let phone = try await blocking(on: queue) { try core.openPhone(slot: slot, storeKey: storeKey, settings: settings) }
        return Phone(core: phone)
    }

    /// Removes the account and everything of it; refused while something is unsent. `phone` is closed then.
    public func remove(slot: String, phone: Phone) async throws {
        let core = self.core
        try await blocking(on: queue) { try core.remove(slot: slot, phone: phone.core) }
    }
}
