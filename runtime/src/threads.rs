//! How many threads kernels use, and the pool that runs them.
//!
//! Work arrives in bursts of microseconds, so workers spin for a moment before they sleep: handing work to a spinning
//! worker costs a third of a microsecond, waking a sleeping one ten or more. Each thread begins with a span of the parts that is
//! its own, the same in every job of this size, so that what one job leaves in the cache of a core the next one finds there;
//! when its span is empty it takes parts from the ends of the others', so a busy core never holds up the rest. The caller takes part. A
//! call allocates nothing.
//!
//! The chunks are the caller's choice and do not depend on the number of threads; a chunk that computes the same wherever
//! it runs makes results identical for any thread count.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use crate::profile::{self, Label};
use crate::sync::Mutex;

/// How long an idle worker spins before it sleeps.
const SPIN: Duration = Duration::from_micros(200);
/// How often the caller looks for its last workers before it lets others run: a worker may have lost its core.
const PATIENCE: u32 = 1 << 12;

/// A caller that waited this long for a part that a worker had begun concludes that the cores are busy with something else.
const STALL: Duration = Duration::from_micros(60);
/// For how long after that jobs of few parts stay on their own thread.
const HOLD_OFF: Duration = Duration::from_millis(2);
const FEW: usize = 16;

/// 0: not set yet.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The number of threads that kernels may use, at least 1: as set by [`set_threads`], else by the environment variable
/// `RJAX_THREADS`, else the number of cores that this process may run on.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let set = std::env::var("RJAX_THREADS").ok().and_then(|text| text.trim().parse().ok());
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

/// Calls `work(begin, end)` for parts of `0..total` that cover it, each but the last `grain` long, on up to [`threads`] threads, the
/// caller's included, and returns when all are done. Parts begin at multiples of `grain` (0 counts as 1) whatever the number of threads.
///
/// A panic in a part is passed on to the caller after the parts under way have finished. Calls from inside a part, while another
/// thread uses the pool, or, for short jobs, while other programs keep the cores busy, run on the calling thread alone. Handing
/// work to others pays from about 8 microseconds on.
pub fn parallel_for(total: usize, grain: usize, work: &(dyn Fn(usize, usize) + Sync)) {
    let grain = grain.max(1);
    let parts = total.div_ceil(grain);
    let helpers = if parts < SPAN_END as usize { threads().min(parts).saturating_sub(1) } else { 0 };
    let turn = if helpers == 0 { None } else { POOL.turn.try_lock() };
    let turn = turn.filter(|busy_until| parts > FEW || busy_until.is_none_or(|until| Instant::now() >= until));
    let Some(mut busy_until) = turn else {
        let mut begin = 0;
        while begin < total {
            let end = total.min(begin + grain);
            work(begin, end);
            begin = end;
        }
        return;
    };
    POOL.grow_to(helpers);
    let label = profile::innermost();
    let spans = Spans::new(parts, helpers + 1);
    let job = Job { work, total, grain, spans, panic: Mutex::new(None), label };
    POOL.post(&job, helpers);
    job.run(0);
    *busy_until = POOL.finish();
    drop(busy_until);
    if let Some(payload) = job.panic.into_inner() {
        resume_unwind(payload);
    }
}

/// Lives on the stack of the caller, who does not return before every worker has let go of it.
struct Job<'a> {
    work: &'a (dyn Fn(usize, usize) + Sync),
    total: usize,
    grain: usize,
    spans: Spans,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// What the work is, if somebody records.
    label: Option<Arc<Label>>,
}

impl Job<'_> {
    /// Takes parts until none is left, those of the thread's own span first; says how many it took.
    fn run(&self, thread: usize) -> usize {
        let mut parts = 0;
        while let Some(part) = self.spans.take(thread) {
            parts += 1;
            let begin = part * self.grain;
            let end = self.total.min(begin + self.grain);
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.work)(begin, end))) {
                self.panic.lock().get_or_insert(payload);
            }
        }
        parts
    }
}

/// More threads share spans.
const SPANS: usize = 32;
/// The half of a span that says where it ends.
const SPAN_END: u64 = 0xffff_ffff;

/// The parts of a job that nobody has taken, in spans one for each thread: the first and the one after the last, in 32 bits each.
struct Spans {
    spans: [AtomicU64; SPANS],
    count: usize,
}

impl Spans {
    /// Even shares of `0..parts`, of which there are less than [`SPAN_END`].
    fn new(parts: usize, threads: usize) -> Spans {
        let count = threads.min(SPANS);
        let bound = |thread: usize| (thread.min(count) * parts / count) as u64;
        Spans { spans: std::array::from_fn(|i| AtomicU64::new(bound(i) << 32 | bound(i + 1))), count }
    }

    /// The next part of the thread's own span, else the last of another one.
    fn take(&self, thread: usize) -> Option<usize> {
        (0..self.count).find_map(|distance| {
            let span = &self.spans[(thread + distance) % self.count];
            let own = distance == 0;
            let taken = span.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |span| {
                let (first, end) = (span >> 32, span & SPAN_END);
                (first < end).then(|| if own { (first + 1) << 32 | end } else { span - 1 })
            });
            let span = taken.ok()?;
            Some(if own { span >> 32 } else { (span & SPAN_END) - 1 } as usize)
        })
    }
}

struct Pool {
    /// Held by the thread whose job is posted. Inside: until when the cores are taken to be busy.
    turn: Mutex<Option<Instant>>,
    /// Counts postings, so that a spinning worker sees a new job without taking the lock.
    epoch: AtomicUsize,
    /// How many workers have joined the posted job and not left.
    working: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    /// The posted job and how many more workers may join it.
    job: Option<(Posted, usize)>,
    workers: usize,
    sleeping: usize,
}

/// The address of a job, its lifetime forgotten.
#[derive(Clone, Copy)]
struct Posted(*const Job<'static>);

// SAFETY: a job is shared by reference only, and all it holds may be.
unsafe impl Send for Posted {}

static POOL: Pool = Pool {
    turn: Mutex::new(None),
    epoch: AtomicUsize::new(0),
    working: AtomicUsize::new(0),
    state: Mutex::new(State { job: None, workers: 0, sleeping: 0 }),
    wake: Condvar::new(),
};

impl Pool {
    /// Starts workers until there are `count`. A system that gives no more threads leaves the caller with fewer.
    fn grow_to(&'static self, count: usize) {
        while self.state.lock().workers < count {
            let builder = std::thread::Builder::new().name("rjax-worker".into());
            let thread = self.state.lock().workers + 1;
            if builder.spawn(move || self.worker(thread)).is_err() {
                return;
            }
            self.state.lock().workers += 1;
        }
    }

    fn post(&self, job: &Job<'_>, seats: usize) {
        let mut state = self.state.lock();
        state.job = Some((Posted((&raw const *job).cast()), seats));
        self.epoch.fetch_add(1, Ordering::Release);
        if state.sleeping > 0 {
            drop(state);
            self.wake.notify_all();
        }
    }

    /// Withdraws the job and waits for the workers that took it. If that takes long, says until when the cores are busy.
    fn finish(&self) -> Option<Instant> {
        // After this nobody joins: joining happens under the lock, while the job is posted.
        self.state.lock().job = None;
        if self.working.load(Ordering::Acquire) == 0 {
            return None;
        }
        let since = Instant::now();
        let mut looks = 0;
        while self.working.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < PATIENCE {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let now = Instant::now();
        (now - since > STALL).then(|| now + HOLD_OFF)
    }

    /// The loop of the worker with this number; the callers are number 0.
    fn worker(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let idle_since = Instant::now();
            while self.epoch.load(Ordering::Acquire) == seen && idle_since.elapsed() < SPIN {
                std::hint::spin_loop();
            }
            let mut state = self.state.lock();
            while self.epoch.load(Ordering::Relaxed) == seen {
                state.sleeping += 1;
                state = state.wait(&self.wake);
                state.sleeping -= 1;
            }
            seen = self.epoch.load(Ordering::Relaxed);
            let Some((Posted(job), seats)) = &mut state.job else { continue };
            let Some(left) = seats.checked_sub(1) else { continue };
            *seats = left;
            let job = *job;
            self.working.fetch_add(1, Ordering::Relaxed);
            drop(state);
            // SAFETY: the job is alive: its owner waits in `finish` until `working` is 0 again, and this worker counted itself
            // while the job was posted.
            let job = unsafe { &*job };
            let begin = job.label.as_ref().map(|label| (label, Instant::now()));
            let parts = job.run(thread);
            if let Some((label, begin)) = begin {
                profile::note_parts(label, begin, parts);
            }
            self.working.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn every_index_is_covered_once_for_any_thread_count() {
        let before = threads();
        for count in [1, 2, 3, 8] {
            set_threads(count);
            for (total, grain) in [(0, 1), (1, 1), (2, 1), (7, 3), (1000, 1), (1000, 64), (5, 0), (3, 100)] {
                let hits: Vec<_> = (0..total).map(|_| AtomicU64::new(0)).collect();
                parallel_for(total, grain, &|begin, end| {
                    assert!(begin < end && begin.is_multiple_of(grain.max(1)));
                    parallel_for(2, 1, &|_, _| ());
                    hits[begin..end].iter().for_each(|hit| {
                        hit.fetch_add(1, Ordering::Relaxed);
                    });
                });
                assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1), "{count} threads, {total} by {grain}");
            }
        }
        set_threads(before);
    }

    /// What the caller wrote before is there in every part, and what the parts wrote is there after the call.
    #[test]
    fn parts_and_caller_see_what_the_others_wrote() {
        const PARTS: usize = 4 * FEW;
        let before = threads();
        set_threads(3);
        let (mut from, mut to) = (vec![0u32; 2 * PARTS], vec![0u32; 2 * PARTS]);
        for round in 0..100 {
            from.fill(round);
            let places = to.as_mut_ptr() as usize;
            let begun = AtomicU64::new(0);
            parallel_for(2 * PARTS, 2, &|begin, end| {
                // On a busy machine the others need a moment.
                begun.fetch_add(1, Ordering::Relaxed);
                let since = Instant::now();
                while begun.load(Ordering::Relaxed) < 2 && since.elapsed() < Duration::from_millis(20) {
                    std::thread::yield_now();
                }
                for i in begin..end {
                    // SAFETY: the vector has so many elements, and no other part has this one.
                    unsafe { *(places as *mut u32).add(i) = from[i] + i as u32 };
                }
            });
            assert!(to.iter().enumerate().all(|(i, &x)| x == round + i as u32));
            if round % 20 == 0 {
                // Long enough for workers to fall asleep.
                std::thread::sleep(2 * SPIN);
            }
        }
        set_threads(before);
    }

    #[test]
    fn several_threads_may_call_at_once() {
        let sum = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        parallel_for(64, 8, &|begin, end| {
                            sum.fetch_add((begin..end).sum::<usize>() as u64, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 4 * 200 * (63 * 64 / 2));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_works_on() {
        let ran = AtomicU64::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            parallel_for(10, 1, &|i, _| {
                assert_ne!(i, 3, "part three");
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(outcome.is_err());
        parallel_for(4, 1, &|_, _| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert!(ran.load(Ordering::Relaxed) >= 7);
    }
}
