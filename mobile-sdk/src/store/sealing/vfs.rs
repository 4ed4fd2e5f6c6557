//! SQLite's way to files, with sealing in between: the only module of this crate with `unsafe` in it.
//!
//! A VFS of SQLite is a table of C functions. Ours opens each file with the platform's own VFS and hands every call on, but reads and
//! writes go through [`SealedFile`]. Which key a file belongs to is said by a ticket in the database's URI, because SQLite gives a
//! log's or journal's name to the VFS together with the parameters of its database. Files of other kinds (temporary ones) have no
//! ticket that fits and are refused: with `temp_store = memory` SQLite does without.
//!
//! Why the `unsafe` holds, in one place: (1) SQLite hands each `sqlite3_file` only to the methods that [`x_open`] put there, after it
//! succeeded and until `xClose` returns, and one call at a time; so the `Open` behind it is alive and unaliased during each call.
//! (2) Memory of the file beneath is as large and aligned as its VFS asks, and outlives its `xClose`. (3) Buffers are as long as SQLite
//! says. (4) The default VFS is static. (5) Nothing here unwinds into C: an `extern "C"` function that panics aborts, and none has a
//! reason to.
#![allow(unsafe_code, reason = "a VFS is a table of C functions; each use is argued above and where it stands")]

use super::pages::{Code, Kind, PageKeys, Raw, SealedFile};
use super::{DataKey, SEAL_BYTES};
use crate::store::StoreError;
use rusqlite::{Connection, ffi};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const VFS_NAME: &CStr = c"callout-sealed";
const TICKET_PARAMETER: &CStr = c"ticket";

static KEYS: Mutex<BTreeMap<u64, Arc<PageKeys>>> = Mutex::new(BTreeMap::new());
static LAST_TICKET: AtomicU64 = AtomicU64::new(0);

/// Lets SQLite open the files of one store, while it lives.
#[derive(Debug)]
pub(in crate::store) struct Ticket(u64);

impl Ticket {
    pub fn new(key: &DataKey) -> Result<Self, StoreError> {
        let registered = register();
        if registered != ffi::SQLITE_OK {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(registered), None).into());
        }
        let ticket = LAST_TICKET.fetch_add(1, Ordering::Relaxed) + 1;
        KEYS.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, Arc::new(PageKeys::new(key)));
        Ok(Self(ticket))
    }

    /// The URI by which SQLite opens a sealed database.
    pub fn uri(&self, path: &Path, mode: &str) -> Result<String, StoreError> {
        let full = std::path::absolute(path).map_err(|cause| StoreError::File { path: path.to_owned(), cause })?;
        let mut uri = "file:".to_owned();
        let text = full.to_str().ok_or(StoreError::Damaged { what: "its folder's name is not Unicode" })?;
        if !text.starts_with('/') {
            uri.push('/');
        }
        for byte in text.replace('\\', "/").bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b':' | b'.' | b'-' | b'_' => uri.push(byte.into()),
                other => uri.push_str(&format!("%{other:02X}")),
            }
        }
        uri.push_str(&format!("?vfs=callout-sealed&mode={mode}&ticket={}", self.0));
        Ok(uri)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Files that are still open hold the keys by themselves.
        KEYS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Makes SQLite leave room for the seal on every page of a database that has none yet, or that a copy will have.
pub(in crate::store) fn reserve_seal_bytes(connection: &Connection) -> Result<(), StoreError> {
    let mut bytes: c_int = SEAL_BYTES as c_int;
    // SAFETY: the handle is open as long as the connection is borrowed; this control reads and writes one int.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()),
    }
}

/// What SQLite holds for each open file; it allocates `szOsFile` bytes, which is the size of this.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    open: *mut Open,
}

/// Behind an open [`File`].
struct Open {
    beneath: Beneath,
    sealed: SealedFile,
}

/// The file of the platform's VFS. Eight-byte words, because its structures are aligned so.
struct Beneath(Box<[u64]>);

impl Beneath {
    fn pointer(&mut self) -> *mut ffi::sqlite3_file {
        self.0.as_mut_ptr().cast()
    }

    /// Its methods, once its VFS has opened it.
    fn methods(&mut self) -> Option<&'static ffi::sqlite3_io_methods> {
        // SAFETY: the memory begins with a `sqlite3_file` (zeroed before it was opened); method tables are static.
        unsafe { (*self.pointer()).pMethods.as_ref() }
    }
}

/// Calls a method of the file beneath; absent ones answer as if the file could not do it.
macro_rules! beneath {
    ($open:expr, $method:ident ( $($argument:expr),* )) => {{
        let pointer = $open.beneath.pointer();
        match $open.beneath.methods().and_then(|methods| methods.$method) {
            // SAFETY: the file beneath is open, and the arguments are those that SQLite gave for it.
            Some(method) => unsafe { method(pointer $(, $argument)*) },
            None => ffi::SQLITE_IOERR,
        }
    }};
}

struct RawFile<'a>(&'a mut Beneath);

impl Raw for RawFile<'_> {
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<(), Code> {
        let (Ok(length), Ok(offset)) = (c_int::try_from(buffer.len()), i64::try_from(offset)) else {
            return Err(ffi::SQLITE_IOERR_READ);
        };
        let pointer = self.0.pointer();
        let Some(method) = self.0.methods().and_then(|methods| methods.xRead) else { return Err(ffi::SQLITE_IOERR) };
        // SAFETY: the buffer has `length` bytes; the file beneath is open.
        code(unsafe { method(pointer, buffer.as_mut_ptr().cast(), length, offset) })
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Code> {
        let (Ok(length), Ok(offset)) = (c_int::try_from(bytes.len()), i64::try_from(offset)) else {
            return Err(ffi::SQLITE_IOERR_WRITE);
        };
        let pointer = self.0.pointer();
        let Some(method) = self.0.methods().and_then(|methods| methods.xWrite) else { return Err(ffi::SQLITE_IOERR) };
        // SAFETY: the bytes are `length` long; the file beneath is open.
        code(unsafe { method(pointer, bytes.as_ptr().cast(), length, offset) })
    }
}

fn code(code: c_int) -> Result<(), Code> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

fn uncode(result: Result<(), Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// The open file behind what SQLite hands to a method.
///
/// # Safety
/// `file` comes from SQLite, in a method that [`x_open`] gave it.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Open {
    // SAFETY: see (1) at the top.
    unsafe { &mut *(*file.cast::<File>()).open }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 2: no access by memory mapping, which would go past the sealing.
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn x_close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `x_open` put a pointer of `Box::into_raw` there, and SQLite closes once.
    let mut open = unsafe { Box::from_raw((*file.cast::<File>()).open) };
    beneath!(open, xClose())
}

unsafe extern "C" fn x_read(file: *mut ffi::sqlite3_file, buffer: *mut c_void, length: c_int, offset: i64) -> c_int {
    let (Ok(length), Ok(offset)) = (usize::try_from(length), u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: (1) and (3); SQLite's buffers for reading are initialised or of bytes that may hold anything.
    let (open, buffer) = unsafe { (opened(file), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length)) };
    uncode(open.sealed.read(&mut RawFile(&mut open.beneath), buffer, offset))
}

unsafe extern "C" fn x_write(file: *mut ffi::sqlite3_file, bytes: *const c_void, length: c_int, offset: i64) -> c_int {
    let (Ok(length), Ok(offset)) = (usize::try_from(length), u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: (1) and (3).
    let (open, bytes) = unsafe { (opened(file), std::slice::from_raw_parts(bytes.cast::<u8>(), length)) };
    uncode(open.sealed.write(&mut RawFile(&mut open.beneath), bytes, offset))
}

/// Methods that go to the file beneath as they are.
macro_rules! handed_on {
    ($($name:ident = $method:ident ( $($argument:ident : $kind:ty),* );)+) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: (1).
            let open = unsafe { opened(file) };
            beneath!(open, $method($($argument),*))
        })+
    };
}

handed_on! {
    x_truncate = xTruncate(size: i64);
    x_sync = xSync(flags: c_int);
    x_file_size = xFileSize(size: *mut i64);
    x_lock = xLock(level: c_int);
    x_unlock = xUnlock(level: c_int);
    x_check_reserved_lock = xCheckReservedLock(result: *mut c_int);
    x_sector_size = xSectorSize();
    x_shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, pointer: *mut *mut c_void);
    x_shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int);
    x_shm_unmap = xShmUnmap(delete: c_int);
}

unsafe extern "C" fn x_shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: (1).
    let open = unsafe { opened(file) };
    let pointer = open.beneath.pointer();
    if let Some(method) = open.beneath.methods().and_then(|methods| methods.xShmBarrier) {
        // SAFETY: the file beneath is open.
        unsafe { method(pointer) }
    }
}

unsafe extern "C" fn x_file_control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    match operation {
        // Nothing of these may reach the file unsealed; all of them are offers that SQLite can do without.
        ffi::SQLITE_FCNTL_MMAP_SIZE
        | ffi::SQLITE_FCNTL_CHUNK_SIZE
        | ffi::SQLITE_FCNTL_BEGIN_ATOMIC_WRITE
        | ffi::SQLITE_FCNTL_COMMIT_ATOMIC_WRITE
        | ffi::SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE => ffi::SQLITE_NOTFOUND,
        ffi::SQLITE_FCNTL_SIZE_HINT => ffi::SQLITE_OK,
        _ => {
            // SAFETY: (1).
            let open = unsafe { opened(file) };
            beneath!(open, xFileControl(operation, argument))
        }
    }
}

unsafe extern "C" fn x_device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: (1).
    let open = unsafe { opened(file) };
    // Of what the medium promises, only what holds for sealed pages, too. With "power-safe overwrite", which SQLite assumes of every
    // medium unless told otherwise, it never writes a part of a page, or more than one sector of a journal's header.
    let kept = ffi::SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | ffi::SQLITE_IOCAP_IMMUTABLE;
    (beneath!(open, xDeviceCharacteristics()) & kept) | ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn x_open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let file = file.cast::<File>();
    // SAFETY: SQLite gives `szOsFile` bytes. Without methods it will not close what was not opened.
    unsafe { (*file).base.pMethods = null() };
    let kinds = [
        (ffi::SQLITE_OPEN_MAIN_DB, Kind::Database),
        (ffi::SQLITE_OPEN_MAIN_JOURNAL, Kind::Journal),
        (ffi::SQLITE_OPEN_WAL, Kind::Log),
    ];
    let kind = kinds.into_iter().find(|(flag, _)| flags & flag != 0).map(|(_, kind)| kind);
    let Some(kind) = kind.filter(|_| !name.is_null()) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite made this name, for this call.
    let ticket = unsafe { ffi::sqlite3_uri_parameter(name, TICKET_PARAMETER.as_ptr()) };
    if ticket.is_null() {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: a C string of SQLite's, part of the name.
    let ticket = unsafe { CStr::from_ptr(ticket) }.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let keys = ticket.and_then(|ticket| KEYS.lock().unwrap_or_else(PoisonError::into_inner).get(&ticket).cloned());
    let Some(keys) = keys else { return ffi::SQLITE_AUTH };
    let platform = platform(vfs);
    // SAFETY: (4).
    let (size, open_beneath) = unsafe { ((*platform).szOsFile, (*platform).xOpen) };
    let (Ok(size), Some(open_beneath)) = (usize::try_from(size), open_beneath) else { return ffi::SQLITE_CANTOPEN };
    let words = vec![0_u64; size.div_ceil(8).max(1)].into_boxed_slice();
    let mut open = Box::new(Open { beneath: Beneath(words), sealed: SealedFile::new(kind, keys) });
    // SAFETY: (2); name and flags are those that SQLite gave for this call, and the name lives until `xClose`.
    let opened = unsafe { open_beneath(platform, name, open.beneath.pointer(), flags, flags_out) };
    if opened != ffi::SQLITE_OK {
        // A file that failed to open may still want to be closed.
        if open.beneath.methods().is_some() {
            beneath!(open, xClose());
        }
        return opened;
    }
    // SAFETY: as above.
    unsafe {
        (*file).open = Box::into_raw(open);
        (*file).base.pMethods = &raw const METHODS;
    }
    ffi::SQLITE_OK
}

/// The VFS that does the work.
fn platform(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `register` made this structure and never frees it.
    unsafe { (*vfs).pAppData.cast() }
}

/// Functions of the VFS that go to the platform's as they are.
macro_rules! platform_handed_on {
    ($($name:ident = $method:ident ( $($argument:ident : $kind:ty),* );)+) => {
        $(unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs $(, $argument: $kind)*) -> c_int {
            let platform = platform(vfs);
            // SAFETY: (4); the arguments are those that SQLite gave.
            unsafe {
                match (*platform).$method {
                    Some(method) => method(platform $(, $argument)*),
                    None => ffi::SQLITE_ERROR,
                }
            }
        })+
    };
}

platform_handed_on! {
    x_delete = xDelete(name: *const c_char, sync: c_int);
    x_access = xAccess(name: *const c_char, flags: c_int, result: *mut c_int);
    x_full_pathname = xFullPathname(name: *const c_char, length: c_int, out: *mut c_char);
    x_randomness = xRandomness(length: c_int, out: *mut c_char);
    x_sleep = xSleep(micros: c_int);
    x_current_time = xCurrentTime(time: *mut f64);
    x_get_last_error = xGetLastError(length: c_int, out: *mut c_char);
    x_current_time_int64 = xCurrentTimeInt64(time: *mut i64);
}

/// Makes the VFS known to SQLite, once a process.
fn register() -> c_int {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        // SAFETY: these initialise SQLite as needed and are safe from any thread; the structure lives for ever.
        unsafe {
            let platform = ffi::sqlite3_vfs_find(null());
            let Some(known) = platform.as_ref() else { return ffi::SQLITE_ERROR };
            let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
                iVersion: 2,
                szOsFile: size_of::<File>() as c_int,
                mxPathname: known.mxPathname,
                pNext: null_mut(),
                zName: VFS_NAME.as_ptr(),
                pAppData: platform.cast(),
                xOpen: Some(x_open),
                xDelete: Some(x_delete),
                xAccess: Some(x_access),
                xFullPathname: Some(x_full_pathname),
                // No extensions are loaded into our stores.
                xDlOpen: None,
                xDlError: None,
                xDlSym: None,
                xDlClose: None,
                xRandomness: Some(x_randomness),
                xSleep: Some(x_sleep),
                xCurrentTime: Some(x_current_time),
                xGetLastError: Some(x_get_last_error),
                xCurrentTimeInt64: Some(x_current_time_int64),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
            }));
            ffi::sqlite3_vfs_register(vfs, 0)
        }
    })
}
