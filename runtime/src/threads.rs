//! How many threads kernels use, and the pool that runs them.
//!
//! Work arrives in bursts of microseconds, so workers spin for a moment before they sleep: handing work to a spinning
//! worker costs a third of a microsecond, waking a sleeping one ten or more. Chunks are handed out one at a time by an
//! atomic counter, and the caller takes part, so a busy core never holds up the rest. The chunks are the caller's choice
//! and do not depend on the number of threads; a chunk that computes the same wherever it runs makes results
//! identical for any thread count.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long an idle worker spins before it sleeps.
const SPIN: Duration = Duration::from_micros(100);

/// 0: not set yet.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The number of threads that kernels may use, at least 1: as set by [`set_threads`], else by the environment variable
/// `RJAX_NUM_THREADS`, else the number of cores.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let set = std::env::var("RJAX_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
            let count =
                set.filter(|&n| n > 0).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
            // Another thread may have called `set_threads` meanwhile; that wins.
            match THREADS.compare_exchange(0, count, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => count,
                Err(other) => other,
            }
        }
        count => count,
    }
}

/// Sets the number of threads that kernels may use; 0 counts as 1. Results do not depend on it.
pub fn set_threads(count: usize) {
    THREADS.store(count.max(1), Ordering::Relaxed);
}

/// Calls `work(0)`, …, `work(chunks - 1)`, each once, on up to [`threads`] threads, the caller's included, and returns when all
/// are done. A panic in a chunk is passed on to the caller after the others have finished. Calls from
/// inside a chunk, or while another thread uses the pool, run on the calling thread alone.
pub fn parallel_for(chunks: usize, work: &(dyn Fn(usize) + Sync)) {
    let helpers = threads().min(chunks).saturating_sub(1);
    let pool = POOL.get_or_init(Pool::default);
    let Some(_turn) = (helpers > 0).then(|| pool.turn.try_lock().ok()).flatten() else {
        (0..chunks).for_each(work);
        return;
    };
    pool.grow_to(helpers);
    // SAFETY: the only uses of the job are between here and the end of `finish`, which returns after every worker that
    // took the job has let go of it; `work` outlives this call.
    let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
    let job = Arc::new(Job {
        work,
        chunks,
        next: AtomicUsize::new(0),
        seats: AtomicUsize::new(helpers),
        working: AtomicUsize::new(0),
        panic: Mutex::new(None),
    });
    pool.post(Some(job.clone()));
    job.run();
    pool.finish(&job);
    let panic = lock(&job.panic).take();
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

struct Job {
    work: &'static (dyn Fn(usize) + Sync),
    chunks: usize,
    /// The next chunk to hand out.
    next: AtomicUsize,
    /// How many more workers may join.
    seats: AtomicUsize,
    /// How many workers have joined and not left.
    working: AtomicUsize,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

impl Job {
    /// Takes chunks until none is left.
    fn run(&self) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= self.chunks {
                return;
            }
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.work)(chunk))) {
                lock(&self.panic).get_or_insert(payload);
            }
        }
    }
}

#[derive(Default)]
struct Pool {
    /// Held by the thread whose job is posted.
    turn: Mutex<()>,
    /// Counts postings, so that a spinning worker sees a new job without taking the lock.
    epoch: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    job: Option<Arc<Job>>,
    workers: usize,
    sleeping: usize,
}

static POOL: OnceLock<Pool> = OnceLock::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Starts workers until there are `count`. A system that gives no more threads leaves the caller with fewer.
    fn grow_to(&'static self, count: usize) {
        while lock(&self.state).workers < count {
            let builder = std::thread::Builder::new().name("rjax-worker".into());
            if builder.spawn(|| self.worker()).is_err() {
                return;
            }
            lock(&self.state).workers += 1;
        }
    }

    fn post(&self, job: Option<Arc<Job>>) {
        let mut state = lock(&self.state);
        state.job = job;
        self.epoch.fetch_add(1, Ordering::Release);
        if state.sleeping > 0 {
            self.wake.notify_all();
        }
    }

    /// Withdraws the job and waits for the workers that took it.
    fn finish(&self, job: &Job) {
        // After this nobody joins: joining happens under the lock, while the job is posted.
        lock(&self.state).job = None;
        while job.working.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
    }

    fn worker(&self) {
        let mut seen = 0;
        loop {
            let idle_since = Instant::now();
            while self.epoch.load(Ordering::Acquire) == seen && idle_since.elapsed() < SPIN {
                std::hint::spin_loop();
            }
            let mut state = lock(&self.state);
            while self.epoch.load(Ordering::Relaxed) == seen {
                state.sleeping += 1;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.sleeping -= 1;
            }
            seen = self.epoch.load(Ordering::Relaxed);
            let Some(job) = state.job.clone() else { continue };
            if job.seats.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err() {
                continue;
            }
            job.working.fetch_add(1, Ordering::Relaxed);
            drop(state);
            job.run();
            job.working.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn every_chunk_runs_once_for_any_thread_count() {
        let before = threads();
        for count in [1, 2, 3, 8] {
            set_threads(count);
            for chunks in [0, 1, 2, 7, 1000] {
                let hits: Vec<_> = (0..chunks).map(|_| AtomicU64::new(0)).collect();
                parallel_for(chunks, &|i| {
                    parallel_for(2, &|_| ());
                    hits[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1), "{count} threads, {chunks} chunks");
            }
        }
        set_threads(before);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_works_on() {
        let ran = AtomicU64::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            parallel_for(10, &|i| {
                assert_ne!(i, 3, "chunk three");
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(outcome.is_err());
        assert_eq!(ran.load(Ordering::Relaxed), 9);
        parallel_for(4, &|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 13);
    }
}
