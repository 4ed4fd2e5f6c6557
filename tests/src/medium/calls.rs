//! The C library's calls that change files, defined here and so called instead of the C library's own by everything in this process.
//!
//! Each hands on to the kernel what is not about a watched file. Why the `unsafe` holds: the symbols have the C library's signatures
//! (`open` takes its optional argument like a fixed one, as the calling conventions of Linux have it); pointers are those that callers
//! gave for the very call, read as long as the call says; whatever is handed on is handed on as it came.
#![allow(unsafe_code, reason = "these are the C library's functions; argued above")]

use super::volatile::NodeId;
use super::{State, Verdict, WATCHED, media};
use libc::{c_char, c_int, c_long, mode_t, off64_t, size_t, ssize_t};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Files above this number are not watched; no test has so many.
const FILES: usize = 16_384;
/// By file number: the medium (upper half) and the node.
static OPEN: [AtomicU64; FILES] = [const { AtomicU64::new(0) }; FILES];

/// Raised when a watched file is closed.
static CLOSED: Condvar = Condvar::new();
static CLOSING: Mutex<()> = Mutex::new(());

fn is_open(id: u32) -> bool {
    OPEN.iter().any(|slot| slot.load(Ordering::SeqCst) >> 32 == u64::from(id))
}

/// Waits until no file of a medium is open, for so long at most; says whether none is.
pub(super) fn closed_wait(id: u32, patience: Duration) -> bool {
    let closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = CLOSED.wait_timeout_while(closing, patience, |()| is_open(id));
    !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
}

fn errno_set(code: c_int) -> c_int {
    // SAFETY: gives a pointer to this thread's own number.
    unsafe { *libc::__errno_location() = code };
    -1
}

fn refused(verdict: Verdict) -> c_int {
    match verdict {
        Verdict::Done => 0,
        Verdict::Dead => errno_set(libc::EIO),
        Verdict::Full => errno_set(libc::ENOSPC),
    }
}

fn slot(file: c_int) -> Option<&'static AtomicU64> {
    usize::try_from(file).ok().and_then(|index| OPEN.get(index))
}

/// Does something with the medium and node of an open file, if it is a watched one.
fn watched_file<T>(file: c_int, work: impl FnOnce(&mut State, NodeId) -> T) -> Option<T> {
    let known = slot(file)?.load(Ordering::Relaxed);
    if known == 0 {
        return None;
    }
    let mut media = media();
    Some(work(media.get_mut(&((known >> 32) as u32))?, known as u32))
}

fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() || WATCHED.load(Ordering::Relaxed) == 0 {
        return None;
    }
    // SAFETY: a caller's path, for the time of the call.
    Some(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

/// Does something with the medium in whose folder a name is, if it is in a watched one.
fn watched_name<T>(name: *const c_char, work: impl FnOnce(u32, &mut State, &Path) -> T) -> Option<T> {
    let path = path(name)?;
    let mut media = media();
    let (id, state) = media.iter_mut().find(|(_, state)| path.starts_with(&state.folder))?;
    Some(work(*id, state, path))
}

fn system(result: c_long) -> c_int {
    result as c_int
}

fn open_any(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let open = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, name, flags | libc::O_LARGEFILE, mode) })
    };
    let watched = watched_name(name, |id, state, path| {
        let known = state.content.find(path);
        let is_made = known.is_none() && flags & libc::O_CREAT != 0;
        let is_cut = flags & libc::O_TRUNC != 0 && known.is_some_and(|node| state.content.length(node) > 0);
        if state.is_dead {
            return refused(Verdict::Dead);
        }
        if is_made || is_cut {
            let verdict = state.step();
            // What was on its way when the power failed may have arrived.
            if verdict == Verdict::Dead && is_made {
                state.content.create(path, false);
            }
            if verdict != Verdict::Done {
                return refused(verdict);
            }
            if is_made && state.is_full() {
                return refused(Verdict::Full);
            }
        }
        let file = open();
        if file < 0 {
            return file;
        }
        let node = match known {
            Some(node) => node,
            None => state.content.create(path, false),
        };
        if is_cut {
            state.content.file_resize(node, 0);
        }
        if let Some(slot) = slot(file) {
            slot.store(u64::from(id) << 32 | u64::from(node), Ordering::Relaxed);
        }
        file
    });
    watched.unwrap_or_else(open)
}

#[unsafe(no_mangle)]
extern "C" fn open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    open_any(name, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open64(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    open_any(name, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn close(file: c_int) -> c_int {
    if slot(file).is_some_and(|slot| slot.swap(0, Ordering::SeqCst) != 0) {
        // Under the lock, so that it does not fall between a look and a wait.
        let _closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
        CLOSED.notify_all();
    }
    // SAFETY: as it came.
    system(unsafe { libc::syscall(libc::SYS_close, file) })
}

fn write_at(file: c_int, bytes: *const u8, length: size_t, offset: Option<off64_t>) -> ssize_t {
    let write = |length: size_t| -> ssize_t {
        // SAFETY: as it came, or the first part of it.
        let written = unsafe {
            match offset {
                None => libc::syscall(libc::SYS_write, file, bytes, length),
                Some(offset) => libc::syscall(libc::SYS_pwrite64, file, bytes, length, offset),
            }
        };
        written as ssize_t
    };
    let watched = watched_file(file, |state, node| {
        let offset = offset.unwrap_or_else(|| {
            // SAFETY: asks where the file is.
            let (flags, at) = unsafe { (libc::fcntl(file, libc::F_GETFL), libc::syscall(libc::SYS_lseek, file, 0, 1)) };
            if flags & libc::O_APPEND != 0 { state.content.length(node) as off64_t } else { at as off64_t }
        });
        let offset = usize::try_from(offset).unwrap_or(0);
        // SAFETY: a caller's bytes, as many as it says.
        let given = unsafe { std::slice::from_raw_parts(bytes, length) };
        let was_dead = state.is_dead;
        if state.step() == Verdict::Dead {
            // The write that was on its way may have arrived in part.
            if !was_dead {
                state.content.file_write(node, offset, given);
            }
            return refused(Verdict::Dead) as ssize_t;
        }
        let room = if state.content.length(node) < offset + length && state.is_full() {
            // As much as fits in what the file has, then nothing.
            state.content.length(node).saturating_sub(offset)
        } else {
            length
        };
        if room == 0 && length > 0 {
            return refused(Verdict::Full) as ssize_t;
        }
        let written = write(room);
        if let Ok(written) = usize::try_from(written) {
            state.content.file_write(node, offset, &given[..written]);
        }
        written
    });
    watched.unwrap_or_else(|| write(length))
}

#[unsafe(no_mangle)]
extern "C" fn write(file: c_int, bytes: *const u8, length: size_t) -> ssize_t {
    write_at(file, bytes, length, None)
}

#[unsafe(no_mangle)]
extern "C" fn pwrite(file: c_int, bytes: *const u8, length: size_t, offset: off64_t) -> ssize_t {
    write_at(file, bytes, length, Some(offset))
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(file: c_int, bytes: *const u8, length: size_t, offset: off64_t) -> ssize_t {
    write_at(file, bytes, length, Some(offset))
}

#[unsafe(no_mangle)]
extern "C" fn writev(file: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
    if slot(file).is_none_or(|slot| slot.load(Ordering::Relaxed) == 0) || count < 1 {
        // SAFETY: as it came.
        return unsafe { libc::syscall(libc::SYS_writev, file, parts, count) } as ssize_t;
    }
    // SAFETY: a caller's parts, as many as it says. To write only the first that is not empty is a short write.
    let parts = unsafe { std::slice::from_raw_parts(parts, count as usize) };
    let part = parts.iter().find(|part| part.iov_len > 0).unwrap_or(&parts[0]);
    write_at(file, part.iov_base.cast_const().cast(), part.iov_len, None)
}

fn resize(file: c_int, length: off64_t) -> c_int {
    let resize = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_ftruncate, file, length) })
    };
    let watched = watched_file(file, |state, node| {
        let was_dead = state.is_dead;
        let new = usize::try_from(length).unwrap_or(0);
        if state.step() == Verdict::Dead {
            if !was_dead {
                state.content.file_resize(node, new);
            }
            return refused(Verdict::Dead);
        }
        let done = resize();
        if done == 0 {
            state.content.file_resize(node, new);
        }
        done
    });
    watched.unwrap_or_else(resize)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(file: c_int, length: off64_t) -> c_int {
    resize(file, length)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(file: c_int, length: off64_t) -> c_int {
    resize(file, length)
}

fn sync(file: c_int, call: c_long) -> c_int {
    let watched = watched_file(file, |state, node| match state.step() {
        Verdict::Done => {
            state.content.sync(node);
            0
        }
        verdict => refused(verdict),
    });
    watched.unwrap_or_else(|| {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(call, file) })
    })
}

#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    sync(file, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(file: c_int) -> c_int {
    sync(file, libc::SYS_fdatasync)
}

/// A change of names: `call` does it, `note` tells the model.
fn name_call(
    name: *const c_char,
    needs_room: bool,
    call: impl Fn() -> c_int,
    note: impl FnOnce(&mut State, &Path),
) -> c_int {
    let watched = watched_name(name, |_, state, path| {
        let was_dead = state.is_dead;
        if state.step() == Verdict::Dead {
            if !was_dead {
                note(state, path);
            }
            return refused(Verdict::Dead);
        }
        if needs_room && state.is_full() {
            return refused(Verdict::Full);
        }
        let done = call();
        if done == 0 {
            note(state, path);
        }
        done
    });
    watched.unwrap_or_else(call)
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let call = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) })
    };
    name_call(to, false, call, |state, to| {
        if let Some(from) = path(from) {
            state.content.rename(from, to);
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn unlink(name: *const c_char) -> c_int {
    let call = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, name, 0) })
    };
    name_call(name, false, call, |state, path| state.content.remove(path))
}

#[unsafe(no_mangle)]
extern "C" fn rmdir(name: *const c_char) -> c_int {
    let call = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, name, libc::AT_REMOVEDIR) })
    };
    name_call(name, false, call, |state, path| state.content.remove(path))
}

#[unsafe(no_mangle)]
extern "C" fn mkdir(name: *const c_char, mode: mode_t) -> c_int {
    let call = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, name, mode) })
    };
    name_call(name, true, call, |state, path| {
        state.content.create(path, true);
    })
}

#[unsafe(no_mangle)]
extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0)
}

#[unsafe(no_mangle)]
extern "C" fn linkat(
    from_folder: c_int,
    from: *const c_char,
    to_folder: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    let call = || {
        // SAFETY: as it came.
        system(unsafe { libc::syscall(libc::SYS_linkat, from_folder, from, to_folder, to, flags) })
    };
    name_call(to, true, call, |state, to| {
        if let Some(node) = path(from).and_then(|from| state.content.find(from)) {
            state.content.link(node, to);
        }
    })
}
