//! Rows that are worked on several times.
//!
//! The first loop over a row waits for memory, the next ones have it in the cache and leave memory idle. So they ask for the next row.

use rjax_kernel::kir::{Access, Index, Loop, ParamId, Reg};

use super::super::Emitter;
use super::select::Stream;

/// Rows that are neither so short that several are on their way anyway, nor so long that they would not wait in the cache.
const ROW_BYTES: std::ops::RangeInclusive<i64> = 512..=1 << 15;
/// Shorter arrays are in the caches.
const LEAST_BYTES: usize = 1 << 20;

/// What the innermost loop around has read in this iteration.
pub(in super::super) struct Rows {
    variable: Reg,
    read: Vec<(ParamId, Index)>,
}

impl Rows {
    pub(in super::super) fn new(variable: Reg) -> Rows {
        Rows { variable, read: Vec::new() }
    }
}

impl Emitter<'_, '_, '_> {
    /// How many bytes on the next row of each stream is, if a loop before this one has read the present row.
    pub(super) fn next_rows(&mut self, l: &Loop, trip: Option<i64>, streams: &[Stream]) -> Vec<Option<i32>> {
        let next_row = |stream: &Stream| {
            let (rows, trip) = (self.rows.as_mut()?, trip?);
            let param = &self.kernel.params[stream.param.index()];
            let size = param.dtype.size();
            let (step, row) = (stream.index.coefficient(l.variable), stream.index.coefficient(rows.variable));
            let bytes = row * size as i64;
            let read = param.access == Access::Read && !self.memory[stream.param.index()].cached;
            if !read || step != 1 || row != trip || !ROW_BYTES.contains(&bytes) || param.len * size < LEAST_BYTES {
                return None;
            }
            let start = stream.index.plus(&Index::reg(l.variable), -1);
            if rows.read.contains(&(stream.param, start.clone())) {
                return Some(bytes as i32);
            }
            rows.read.push((stream.param, start));
            None
        };
        streams.iter().map(next_row).collect()
    }
}
