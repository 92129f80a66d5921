//! Keys of at most 32 bits: ranks and positions packed into one integer, and elements made from ranks again.

use half::{bf16, f16};
use rjax_ir::DType;
use rjax_kernel::kir;

use super::{Key, RADIX_FROM, Scratch, digits, vectors};

/// `$body` with `$T` as the Rust type of a dtype of at most 4 bytes.
macro_rules! with_key {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::Bool | DType::U8 => {
                type $T = u8;
                $body
            }
            DType::I8 => {
                type $T = i8;
                $body
            }
            DType::I16 => {
                type $T = i16;
                $body
            }
            DType::I32 => {
                type $T = i32;
                $body
            }
            DType::U16 => {
                type $T = u16;
                $body
            }
            DType::U32 => {
                type $T = u32;
                $body
            }
            DType::F16 => {
                type $T = f16;
                $body
            }
            DType::BF16 => {
                type $T = bf16;
                $body
            }
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::I64 | DType::U64 | DType::F64 | DType::C64 | DType::C128 | DType::Narrow(_) => {
                unreachable!("{} has no rank of at most 32 bits", $dtype)
            }
        }
    };
}

/// Whether the lines of a task are sorted by one key of at most 32 bits.
pub(super) fn has_short_key(task: &kir::Sort) -> bool {
    let dtype = task.operands[0].dtype;
    task.num_keys == 1 && !dtype.is_complex() && dtype.size() <= 4
}

/// Sorts a line of one array, unless some of its elements share a rank with different ones; says whether it did.
///
/// # Safety
/// Both lines have the task's `extent` elements, `inner` apart.
pub(super) unsafe fn sort_line(
    task: &kir::Sort,
    source: *const u8,
    destination: *mut u8,
    scratch: &mut Scratch,
) -> bool {
    let values = &mut scratch.values;
    // SAFETY: the caller's promise, for the dtype's Rust type.
    let shared = unsafe {
        with_key!(task.operands[0].dtype, T => rank_all::<T, u32>(source, task, values, |rank, _| rank as u32))
    };
    if shared {
        return false;
    }
    sort(values, &mut scratch.other_values, 0, task.operands[0].dtype.bits() as u32);
    // SAFETY: as above.
    unsafe { write(task, destination, values.iter().copied()) };
    true
}

/// Sorts the ranks of a line with their positions into `scratch.packed`. Says whether elements with one rank may differ.
///
/// # Safety
/// The line has the task's `extent` elements, `inner` apart.
pub(super) unsafe fn pack_line(task: &kir::Sort, source: *const u8, scratch: &mut Scratch) -> bool {
    let dtype = task.operands[0].dtype;
    let packed = &mut scratch.packed;
    let pack = |rank: u64, position: usize| rank << 32 | position as u64;
    // SAFETY: the caller's promise, for the dtype's Rust type.
    let shared = unsafe { with_key!(dtype, T => rank_all::<T, u64>(source, task, packed, pack)) };
    sort(packed, &mut scratch.other, 32, dtype.bits() as u32);
    shared
}

/// Keys of more bits are sorted by vectors, where there are any, rather than by digits.
const FEW_BITS: u32 = 16;

/// Sorts entries by `bits` bits from bit `first` on, below which they are in order. `other` is memory for as many.
fn sort<E: vectors::Entry + digits::Entry + Ord>(entries: &mut Vec<E>, other: &mut Vec<E>, first: u32, bits: u32) {
    let short = entries.len() < RADIX_FROM;
    if (short || bits > FEW_BITS) && vectors::sort(entries, other) {
        return;
    }
    if short {
        entries.sort_unstable();
    } else {
        digits::sort(entries, other, first, bits);
    }
}

/// # Safety
/// The line has the task's `extent` elements of type `T`, `inner` apart.
unsafe fn rank_all<T: Key, E>(
    source: *const u8,
    task: &kir::Sort,
    entries: &mut Vec<E>,
    entry: impl Fn(u64, usize) -> E,
) -> bool {
    let source = source.cast::<T>();
    let mut shared = false;
    entries.clear();
    entries.extend((0..task.extent).map(|i| {
        // SAFETY: the element is in the line.
        let element = unsafe { *source.add(i * task.inner) };
        shared |= element.shares_rank();
        entry(element.rank(), i)
    }));
    shared
}

/// Writes the elements of sorted ranks.
///
/// # Safety
/// The line has as many elements, `inner` apart.
pub(super) unsafe fn write(task: &kir::Sort, destination: *mut u8, ranks: impl Iterator<Item = u32>) {
    with_key!(task.operands[0].dtype, T => {
        let destination = destination.cast::<T>();
        for (i, rank) in ranks.enumerate() {
            // SAFETY: the element is in the line.
            unsafe { *destination.add(i * task.inner) = T::of_rank(rank as u64) };
        }
    });
}

/// Whether a line has the numbers 0, 1, 2, …, so that its sorted elements are the sorted positions.
///
/// # Safety
/// The line has the task's `extent` elements, `inner` apart.
pub(super) unsafe fn counts_up(task: &kir::Sort, dtype: DType, source: *const u8) -> bool {
    let source = source.cast::<u32>();
    // SAFETY: the elements are in the line, and of 4 bytes.
    matches!(dtype, DType::I32 | DType::U32)
        && (0..task.extent).all(|i| unsafe { *source.add(i * task.inner) } == i as u32)
}

/// Writes the sorted positions of a line.
///
/// # Safety
/// The line has as many elements of 4 bytes, `inner` apart.
pub(super) unsafe fn write_order(task: &kir::Sort, destination: *mut u8, order: &[u32]) {
    let destination = destination.cast::<u32>();
    for (i, &position) in order.iter().enumerate() {
        // SAFETY: the element is in the line.
        unsafe { *destination.add(i * task.inner) = position };
    }
}
