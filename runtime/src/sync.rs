//! Mutexes that panics do not poison: what they hold here is in order whenever somebody lets go of it.
//!
//! ThreadSanitizer does not see into the standard library, which is compiled without it, so that a mutex for which threads had to wait
//! orders nothing in its eyes. With debug assertions, which it is used with, every mutex therefore has a witness that it does see: whoever enters
//! reads it, whoever leaves writes it.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, MutexGuard, PoisonError, TryLockError};

use witness::{Entered, Witness};

pub(crate) struct Mutex<T> {
    witness: Witness,
    inner: std::sync::Mutex<T>,
}

/// Fields are dropped in this order: the witness is written before the mutex is free.
pub(crate) struct Guard<'a, T> {
    entered: Entered<'a>,
    guard: MutexGuard<'a, T>,
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex { witness: Witness::new(), inner: std::sync::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.entered(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Some(self.entered(guard)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.entered(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn entered<'a>(&'a self, guard: MutexGuard<'a, T>) -> Guard<'a, T> {
        Guard { entered: self.witness.enter(), guard, mutex: self }
    }
}

impl<'a, T> Guard<'a, T> {
    /// Lets others enter until somebody calls `wake`.
    pub(crate) fn wait(self, wake: &Condvar) -> Guard<'a, T> {
        let Guard { entered, guard, mutex } = self;
        drop(entered);
        mutex.entered(wake.wait(guard).unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(debug_assertions)]
mod witness {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) struct Witness(AtomicBool);

    pub(super) struct Entered<'a>(&'a AtomicBool);

    impl Witness {
        pub(super) const fn new() -> Witness {
            Witness(AtomicBool::new(false))
        }

        pub(super) fn enter(&self) -> Entered<'_> {
            self.0.load(Ordering::Acquire);
            Entered(&self.0)
        }
    }

    impl Drop for Entered<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
}

#[cfg(not(debug_assertions))]
mod witness {
    use std::marker::PhantomData;

    pub(super) struct Witness;

    pub(super) struct Entered<'a>(PhantomData<&'a Witness>);

    impl Witness {
        pub(super) const fn new() -> Witness {
            Witness
        }

        pub(super) fn enter(&self) -> Entered<'_> {
            Entered(PhantomData)
        }
    }
}
