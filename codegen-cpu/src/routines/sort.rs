//! Sorts of lines of several arrays.
//!
//! Keys become unsigned integers that compare as the elements sort; a line is then a sort of integers together with
//! their positions, and every operand is gathered by those.

mod digits;
mod values;
#[cfg(target_arch = "x86_64")]
mod vectors;
#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    /// No integer has vectors here.
    pub(super) trait Entry {}
    impl<T> Entry for T {}

    pub(super) fn sort<E: Entry>(_: &mut [E], _: &mut Vec<E>) -> bool {
        false
    }
}

use std::cell::RefCell;

use half::{bf16, f16};
use rjax_ir::DType;
use rjax_ir::math::unstable_sort;
use rjax_kernel::kir;
use rjax_runtime::parallel_for;

/// Lines shorter than this are sorted by comparisons, longer ones of narrow keys by digits, unless there are vectors for it.
const RADIX_FROM: usize = 512;
/// How many elements one part of the work has at least.
const PART: usize = 1024;

/// How many elements of a line one part of the work moves.
const MOVED_PART: usize = 1 << 15;

/// An element whose order is that of an unsigned integer.
trait Key: Copy {
    /// NaN of any sign is greatest, -0 equals 0.
    fn rank(self) -> u64;
    /// The element of a rank, if it is the only one.
    fn of_rank(rank: u64) -> Self;
    /// Whether other elements have the same rank, which their order in the line tells apart.
    fn shares_rank(self) -> bool {
        false
    }
    /// As the total order of IEEE 754 has it: -NaN < -inf < -0 < 0 < inf < NaN.
    fn total_rank(self) -> u64 {
        self.rank()
    }
}

macro_rules! unsigned_keys {
    ($($T:ty)*) => {$(
        impl Key for $T {
            fn rank(self) -> u64 {
                self as u64
            }
            fn of_rank(rank: u64) -> $T {
                rank as $T
            }
        }
    )*};
}
unsigned_keys!(u8 u16 u32 u64);

macro_rules! signed_keys {
    ($($T:ty, $U:ty;)*) => {$(
        impl Key for $T {
            fn rank(self) -> u64 {
                // Adding the least value's magnitude maps the range to that of the unsigned type.
                (self as $U ^ (1 << (<$T>::BITS - 1))) as u64
            }
            fn of_rank(rank: u64) -> $T {
                (rank as $U ^ (1 << (<$T>::BITS - 1))) as $T
            }
        }
    )*};
}
signed_keys!(i8, u8; i16, u16; i32, u32; i64, u64;);

macro_rules! float_keys {
    ($($T:ty, $U:ty, $zero:expr;)*) => {$(
        impl Key for $T {
            fn rank(self) -> u64 {
                const SIGN: $U = 1 << (<$U>::BITS - 1);
                if self.is_nan() {
                    return <$U>::MAX as u64;
                }
                let bits = if self == $zero { 0 } else { self.to_bits() };
                // Positive numbers order as their bits do, negative ones the other way round.
                (if bits & SIGN == 0 { bits | SIGN } else { !bits }) as u64
            }
            fn of_rank(rank: u64) -> $T {
                const SIGN: $U = 1 << (<$U>::BITS - 1);
                let bits = rank as $U;
                <$T>::from_bits(if bits & SIGN == 0 { !bits } else { bits ^ SIGN })
            }
            fn shares_rank(self) -> bool {
                self.is_nan() || self == $zero && self.is_sign_negative()
            }
            fn total_rank(self) -> u64 {
                const SIGN: $U = 1 << (<$U>::BITS - 1);
                let bits = self.to_bits();
                (if bits & SIGN == 0 { bits | SIGN } else { !bits }) as u64
            }
        }
    )*};
}
float_keys!(f16, u16, f16::ZERO; bf16, u16, bf16::ZERO; f32, u32, 0.0; f64, u64, 0.0;);

/// Calls `visit` with the rank of each of `count` elements, `stride` apart, from `start` on: in the total order or in that of sorts.
///
/// # Safety
/// The elements are valid memory.
pub(super) unsafe fn ranks<const TOTAL: bool>(
    dtype: DType,
    start: *const u8,
    stride: usize,
    count: usize,
    visit: impl FnMut(u64),
) {
    unsafe fn all<const TOTAL: bool, T: Key>(
        start: *const u8,
        stride: usize,
        count: usize,
        mut visit: impl FnMut(u64),
    ) {
        let start = start.cast::<T>();
        for i in 0..count {
            // SAFETY: the element is one of the caller's.
            let element = unsafe { *start.add(i * stride) };
            visit(if TOTAL { element.total_rank() } else { element.rank() });
        }
    }
    // SAFETY: the caller's promise, passed on for the dtype's Rust type.
    unsafe {
        match dtype {
            DType::Bool | DType::U8 => all::<TOTAL, u8>(start, stride, count, visit),
            DType::I8 => all::<TOTAL, i8>(start, stride, count, visit),
            DType::I16 => all::<TOTAL, i16>(start, stride, count, visit),
            DType::I32 => all::<TOTAL, i32>(start, stride, count, visit),
            DType::I64 => all::<TOTAL, i64>(start, stride, count, visit),
            DType::U16 => all::<TOTAL, u16>(start, stride, count, visit),
            DType::U32 => all::<TOTAL, u32>(start, stride, count, visit),
            DType::U64 => all::<TOTAL, u64>(start, stride, count, visit),
            DType::F16 => all::<TOTAL, f16>(start, stride, count, visit),
            DType::BF16 => all::<TOTAL, bf16>(start, stride, count, visit),
            DType::F32 => all::<TOTAL, f32>(start, stride, count, visit),
            DType::F64 => all::<TOTAL, f64>(start, stride, count, visit),
            DType::C64 | DType::C128 | DType::Narrow(_) => {
                unreachable!("complex keys are ranked by their parts, and narrow types are no keys")
            }
        }
    }
}

/// Memory that a thread keeps from one sort to the next.
#[derive(Default)]
struct Scratch {
    /// For each position of the line the ranks of its keys.
    ranks: Vec<u64>,
    /// Rank in the upper half, position in the lower one.
    packed: Vec<u64>,
    other: Vec<u64>,
    /// The ranks of a line that is sorted without its positions.
    values: Vec<u32>,
    other_values: Vec<u32>,
    order: Vec<u32>,
    line: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Sorts as `task` says; `pointers` are the addresses of all sources, then of all destinations.
///
/// # Safety
/// Each array has the task's `outer * extent * inner` elements; a destination is its own source or overlaps no source.
pub(super) unsafe extern "C" fn sort(task: &kir::Sort, pointers: *const *mut u8) {
    let count = task.operands.len();
    let pointers = pointers as usize;
    let short_key = values::has_short_key(task);
    let sort_lines = |begin: usize, end: usize| {
        SCRATCH.with_borrow_mut(|scratch| {
            for line in begin..end {
                let first = line / task.inner * task.extent * task.inner + line % task.inner;
                // SAFETY: the line's elements are `inner` apart from `first` on and lie in every array.
                unsafe {
                    let at =
                        |slot: usize, dtype: DType| (*(pointers as *const *mut u8).add(slot)).add(first * dtype.size());
                    let key = task.operands[0].dtype;
                    if short_key && count == 1 && values::sort_line(task, at(0, key), at(1, key), scratch) {
                        continue;
                    }
                    let same = order_line(task, scratch, |key| at(key, task.operands[key].dtype));
                    for (i, operand) in task.operands.iter().enumerate() {
                        let (source, destination) = (at(i, operand.dtype), at(count + i, operand.dtype));
                        if i == 0 && same {
                            let ranks = scratch.packed.iter().map(|&entry| (entry >> 32) as u32);
                            values::write(task, destination, ranks);
                        } else if values::counts_up(task, operand.dtype, source) {
                            values::write_order(task, destination, &scratch.order);
                        } else {
                            permute(operand.dtype.size(), task.inner, source, destination, scratch);
                        }
                    }
                }
            }
        });
    };
    parallel_for(task.outer * task.inner, PART.div_ceil(task.extent.max(1)), &sort_lines);
}

/// Leaves the sorted positions of a line in `scratch.order`. Says whether the sorted ranks are in `scratch.packed` and elements of one
/// rank are the same.
///
/// # Safety
/// `key` gives the first element of the line of each key.
unsafe fn order_line(task: &kir::Sort, scratch: &mut Scratch, key: impl Fn(usize) -> *const u8) -> bool {
    let extent = task.extent;
    scratch.order.clear();
    if task.stable && values::has_short_key(task) {
        // SAFETY: the line has `extent` elements, `inner` apart.
        let shared = unsafe { values::pack_line(task, key(0), scratch) };
        scratch.order.extend(scratch.packed.iter().map(|&entry| entry as u32));
        return !shared;
    }
    scratch.ranks.clear();
    let mut columns = 0;
    for (i, operand) in task.operands[..task.num_keys].iter().enumerate() {
        // A complex key is two real ones, and its parts are twice as far apart.
        let parts = if operand.dtype.is_complex() { 2 } else { 1 };
        let real = operand.dtype.real();
        for part in 0..parts {
            // SAFETY: the line has `extent` elements, `inner` apart, each of `parts` parts.
            unsafe {
                let start = key(i).add(part * real.size());
                ranks::<false>(real, start, task.inner * parts, extent, |rank| scratch.ranks.push(rank));
            }
            columns += 1;
        }
    }
    let keys = &scratch.ranks;
    scratch.order.extend(0..extent as u32);
    let ranks = |i: u32| (0..columns).map(move |column| keys[column * extent + i as usize]);
    if task.stable {
        // The position decides between equals.
        scratch.order.sort_unstable_by(|&a, &b| ranks(a).cmp(ranks(b)).then(a.cmp(&b)));
    } else {
        unstable_sort(&mut scratch.order, |a, b| ranks(a).lt(ranks(b)));
    }
    false
}

/// Writes the line's elements in the order of `scratch.order`.
///
/// # Safety
/// Both lines have as many elements as `order`, of `size` bytes and `stride` apart; they are the same or do not overlap.
unsafe fn permute(size: usize, stride: usize, source: *const u8, destination: *mut u8, scratch: &mut Scratch) {
    unsafe fn fixed<const SIZE: usize>(stride: usize, source: *const u8, destination: *mut u8, scratch: &mut Scratch) {
        if source != destination.cast_const() {
            let (order, from, to) = (&scratch.order, source as usize, destination as usize);
            parallel_for(order.len(), MOVED_PART, &|begin, end| {
                for (i, &position) in order.iter().enumerate().take(end).skip(begin) {
                    // SAFETY: both elements are in their lines, and no two positions write the same one.
                    unsafe {
                        let element = (from as *const u8).add(position as usize * stride * SIZE);
                        (to as *mut u8).add(i * stride * SIZE).copy_from_nonoverlapping(element, SIZE);
                    }
                }
            });
            return;
        }
        scratch.line.clear();
        for &position in &scratch.order {
            // SAFETY: the position is in the line.
            let element = unsafe { *source.add(position as usize * stride * SIZE).cast::<[u8; SIZE]>() };
            scratch.line.extend_from_slice(&element);
        }
        for (i, element) in scratch.line.chunks_exact(SIZE).enumerate() {
            // SAFETY: there are as many elements as positions in the line.
            unsafe { destination.add(i * stride * SIZE).copy_from_nonoverlapping(element.as_ptr(), SIZE) };
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => fixed::<1>(stride, source, destination, scratch),
            2 => fixed::<2>(stride, source, destination, scratch),
            4 => fixed::<4>(stride, source, destination, scratch),
            8 => fixed::<8>(stride, source, destination, scratch),
            _ => fixed::<16>(stride, source, destination, scratch),
        }
    }
}
