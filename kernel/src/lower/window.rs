//! Positions in padded and dilated arrays: where they are, and when there is an element.

use rjax_ir::{Binary, Compare, Window};

use super::Writer;
use crate::kir::{Index, Reg};

/// Windows of at most so many taps are written out: without a loop inside, what is around them can become vectors.
pub(super) const WRITTEN_OUT: usize = 32;

/// What the position of a tap in the padding is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// Out of bounds: it must not be read.
    Nowhere,
    /// That of the nearest element, whose place along an axis does not depend on other axes.
    Nearest,
}

/// Whether a window over an operand is written out.
pub(super) fn is_written_out(window: &Window, operand: &[usize]) -> bool {
    window.dimensions.iter().product::<usize>() <= WRITTEN_OUT
        && window.base_dilation.iter().all(|&dilation| dilation == 1)
        && !operand.contains(&0)
}

/// A position along an axis before padding and dilation are undone, with the range of values it can have.
pub(super) struct Padded {
    pub index: Index,
    pub least: i64,
    pub greatest: i64,
}

impl Padded {
    /// Element `at` of `count` results, tap `tap` of a window of `size`.
    pub fn tap(
        at: &Index,
        count: usize,
        stride: usize,
        tap: &Index,
        size: usize,
        window_dilation: usize,
        low: i64,
    ) -> Padded {
        let index = at.times(stride as i64).plus(tap, window_dilation as i64).offset(-low);
        let steps = (count as i64 - 1) * stride as i64 + (size as i64 - 1) * window_dilation as i64;
        Padded { index, least: -low, greatest: steps - low }
    }
}

impl Writer<'_, '_> {
    /// The index of an array axis whose elements stand `dilation` apart, and the condition for there to be one.
    pub(super) fn undo_padding(&mut self, padded: Padded, extent: usize, dilation: usize) -> (Index, Option<Reg>) {
        let Padded { index, least, greatest } = padded;
        if extent == 0 {
            let never = self.b.bool(false);
            return (Index::default(), Some(never));
        }
        let dilation = dilation as i64;
        let last = (extent as i64 - 1) * dilation;
        let mut condition = None;
        if least < 0 {
            let (position, zero) = (self.b.index_register(&index), self.b.i64(0));
            let inside = self.b.compare(Compare::Ge, position, zero);
            condition = Some(self.b.and(condition, inside));
        }
        if greatest > last {
            let (position, last) = (self.b.index_register(&index), self.b.i64(last));
            let inside = self.b.compare(Compare::Le, position, last);
            condition = Some(self.b.and(condition, inside));
        }
        if dilation == 1 {
            return (index, condition);
        }
        let rest = self.b.digit(&index, 1, Some(dilation));
        if rest.as_constant() != Some(0) {
            let (rest, zero) = (self.b.index_register(&rest), self.b.i64(0));
            let on_element = self.b.compare(Compare::Eq, rest, zero);
            condition = Some(self.b.and(condition, on_element));
        }
        (self.b.digit(&index, dilation, None), condition)
    }

    /// The nearest index in `0..=last`, given the range of values that it can have.
    fn nearest_index(&mut self, mut index: Index, least: i64, greatest: i64, last: i64) -> Index {
        if least < 0 {
            let (register, zero) = (self.b.index_register(&index), self.b.i64(0));
            index = Index::reg(self.b.binary(Binary::Max, register, zero));
        }
        if greatest > last {
            let (register, last) = (self.b.index_register(&index), self.b.i64(last));
            index = Index::reg(self.b.binary(Binary::Min, register, last));
        }
        index
    }

    /// The operand's position under tap `taps` of the window for result `at`, and the condition for it to be inside.
    pub(super) fn under_window(
        &mut self,
        window: &Window,
        operand: &[usize],
        result: &[usize],
        at: &[Index],
        taps: &[Index],
        outside: Outside,
    ) -> (Vec<Index>, Option<Reg>) {
        let mut condition = None;
        let mut position = Vec::with_capacity(operand.len());
        for axis in 0..operand.len() {
            let padded = Padded::tap(
                &at[axis],
                result[axis],
                window.strides[axis],
                &taps[axis],
                window.dimensions[axis],
                window.window_dilation[axis],
                window.padding[axis].0,
            );
            let (least, greatest) = (padded.least, padded.greatest);
            let (mut index, inside) = self.undo_padding(padded, operand[axis], window.base_dilation[axis]);
            if outside == Outside::Nearest {
                index = self.nearest_index(index, least, greatest, operand[axis] as i64 - 1);
            }
            position.push(index);
            if let Some(inside) = inside {
                condition = Some(self.b.and(condition, inside));
            }
        }
        (position, condition)
    }

    /// Runs `body` where memory is read only if `condition` holds, too.
    pub(super) fn masked<T>(&mut self, condition: Option<Reg>, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.mask;
        if let Some(condition) = condition {
            self.mask = Some(self.b.and(outer, condition));
        }
        let result = body(self);
        self.mask = outer;
        result
    }
}
