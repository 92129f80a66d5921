//! Sliding windows: which elements of the operand each window holds.

use crate::{Shape, Window};

/// How windows slide along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slide {
    /// The operand's extent.
    pub extent: usize,
    /// The window's extent.
    pub window: usize,
    /// Steps of the window.
    pub stride: usize,
    /// Padding before the first element.
    pub low: i64,
    /// Spacing of the operand's elements.
    pub base_dilation: usize,
    /// Spacing of the window's elements.
    pub window_dilation: usize,
}

/// An element of a window that is an element of the operand: its index in the window and in the operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tap {
    pub window: usize,
    pub operand: usize,
}

impl Slide {
    /// For each of `count` windows the elements that are not padding, in order.
    pub(crate) fn taps(&self, count: usize) -> Vec<Vec<Tap>> {
        (0..count).map(|output| self.taps_of(output).collect()).collect()
    }

    fn taps_of(&self, output: usize) -> impl Iterator<Item = Tap> {
        let (base, spacing) = (self.base_dilation as i128, self.window_dilation as i128);
        // Where the window begins and the last of its elements lies, counted from the operand's first element.
        let begin = output as i128 * self.stride as i128 - self.low as i128;
        let end = begin + (self.window as i128 - 1) * spacing;
        let first = begin.max(0).div_euclid(base) + (begin.max(0) % base != 0) as i128;
        let last = end.div_euclid(base).min(self.extent as i128 - 1);
        (first..=last).filter_map(move |operand| {
            let position = operand * base - begin;
            let hit = position % spacing == 0;
            hit.then(|| Tap { window: (position / spacing) as usize, operand: operand as usize })
        })
    }
}

/// Calls `visit` for each window in row-major order with the positions of the operand's elements in it, row-major too.
pub(crate) fn for_each_window(window: &Window, operand: &Shape, result: &Shape, visit: &mut dyn FnMut(&[usize])) {
    if result.size() == 0 {
        return;
    }
    let strides = operand.strides();
    let taps: Vec<Vec<Vec<Tap>>> = (0..operand.rank())
        .map(|axis| {
            let slide = Slide {
                extent: operand[axis],
                window: window.dimensions[axis],
                stride: window.strides[axis],
                low: window.padding[axis].0,
                base_dilation: window.base_dilation[axis],
                window_dilation: window.window_dilation[axis],
            };
            slide.taps(result[axis])
        })
        .collect();
    let (mut positions, mut following) = (Vec::new(), Vec::new());
    for index in result.indices() {
        positions.clear();
        positions.push(0);
        for (axis, &output) in index.iter().enumerate() {
            following.clear();
            for &position in &positions {
                following.extend(taps[axis][output].iter().map(|tap| position + tap.operand * strides[axis]));
            }
            std::mem::swap(&mut positions, &mut following);
        }
        visit(&positions);
    }
}
