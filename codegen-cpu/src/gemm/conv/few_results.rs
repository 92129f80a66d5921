//! Convolutions with one or few features in the result, such as the gradient for an image of three colours.
//!
//! As columns of a product these would leave most of each vector unused. So the product is one of the image as it is, without patches, and all filters
//! at every place of the window: what each position adds to the results around it. These are then added up where they belong,
//! `s = base q + dilation w' - margin` with the window counted backwards. Gaps in the image are no terms at all.

use std::ops::Range;

use rjax_kernel::kir::ConvAxis;
use rjax_runtime::parallel_for;

use super::{GRAIN, Phase, product};
use crate::gemm::Extents;
use crate::gemm::Matrix;
use crate::gemm::contract::{Contraction, contract};
use crate::gemm::element::Element;
use crate::gemm::operand::{Axis, BOUNDS, Operand, join};
use crate::gemm::scratch::with_scratch;
use crate::gemm::strided::Dense;
use crate::gemm::tile::{Kernels, Real};

/// Features of a result from which on they fill vectors well enough.
const FEW: usize = 6;
/// Features of an image that are worth a product.
const TERMS: usize = 8;
/// How many parts there should be.
const PARTS: usize = 16;
/// Elements of a product that is added up at once: it stays in the second-level cache.
const GATHERED: usize = 1 << 16;

/// Whether [`scatter`] computes a convolution.
pub(super) fn applies<E: Copy, R>(all: &Phase<E, R>) -> bool {
    let last = all.axes()[BOUNDS - 1];
    all.group.extent == 1
        && all.output.extent <= FEW
        && all.input.extent >= TERMS
        && product(&all.spatial, |axis| axis.window) > 1
        && product(&all.spatial, |axis| axis.window) <= product(&all.spatial, |axis| axis.extent)
        && all.spatial.iter().all(|axis| axis.stride == 1 && axis.extent > 0 && axis.lhs_extent > 0)
        && last.dilation == 1
        && last.lhs_extent >= TERMS
}

/// Of one axis the results that positions of the image add to.
#[derive(Clone, Copy)]
struct Reach {
    axis: ConvAxis,
    margin: isize,
}

impl Reach {
    fn of(axis: ConvAxis) -> Reach {
        Reach { axis, margin: ((axis.window - 1) * axis.dilation) as isize - axis.low as isize }
    }

    /// The result at which position `q` and place `w` of the window, counted backwards, meet.
    fn result(&self, q: usize, w: usize) -> isize {
        (q * self.axis.base_dilation + w * self.axis.dilation) as isize - self.margin
    }

    /// The positions that add to some of these results.
    fn positions(&self, results: &Range<usize>) -> Range<usize> {
        let base = self.axis.base_dilation as isize;
        let up = |x: isize| x.div_euclid(base) + isize::from(x.rem_euclid(base) != 0);
        let first = up(results.start as isize - self.result(0, self.axis.window - 1));
        let end = up(results.end as isize - self.result(0, 0));
        let count = self.axis.lhs_extent as isize;
        let first = first.clamp(0, count);
        first as usize..end.clamp(first, count) as usize
    }
}

struct Plan<'a, E, R> {
    all: &'a Phase<E, R>,
    reaches: [Reach; BOUNDS],
    /// Results of the last axis from the first that is reached, or is there, to the last.
    reached: Range<isize>,
}

/// Computes a convolution that [`applies`].
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn scatter<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    all: &Phase<E, R>,
) {
    let reaches = all.axes().map(Reach::of);
    let [first, second, last] = reaches;
    let end = last.result(last.axis.lhs_extent - 1, last.axis.window - 1) + 1;
    let images = all.batch.extent * first.axis.extent;
    // A part computes again what reaches over its end.
    let least = 2 * second.axis.window * second.axis.dilation;
    let height = second.axis.extent.div_ceil(PARTS.div_ceil(images)).max(least).min(second.axis.extent);
    let reached = (-last.margin).min(0)..end.max(last.axis.extent as isize);
    let plan = Plan { all, reaches, reached };
    let down = second.axis.extent.div_ceil(height);
    let window = product(&all.axes(), |axis| axis.window);
    let work = height * last.axis.lhs_extent * all.input.extent * window * all.output.extent;
    parallel_for(images * down, GRAIN.div_ceil(work.max(1)), &|begin, end| {
        for part in begin..end {
            let (image, row) = (part / down / first.axis.extent, part / down % first.axis.extent);
            let rows = part % down * height..second.axis.extent.min((part % down + 1) * height);
            // SAFETY: parts write different results.
            unsafe { plan.part(kernels, image as isize, row, rows) };
        }
    });
}

impl<E: Copy, R: Copy> Plan<'_, E, R> {
    /// Elements of a row of sums.
    fn row(&self) -> usize {
        self.reached.len() * self.all.output.extent
    }

    /// Some results of an image: those of `rows` along the second axis, at `at` along the first.
    ///
    /// # Safety
    /// As for [`scatter`].
    unsafe fn part<T: Real + Element<T>>(&self, kernels: &Kernels<T>, image: isize, at: usize, rows: Range<usize>)
    where
        E: Element<T>,
        R: Element<T>,
    {
        let [first, second, last] = self.reaches;
        let len = rows.len() * self.row();
        let positions = second.positions(&rows);
        let columns = second.axis.window * last.axis.window * self.all.output.extent;
        let chunk = (GATHERED / (last.axis.lhs_extent * columns)).max(1);
        with_scratch(len, |sums: *mut T| {
            // SAFETY: there is room for the sums and for the product of some rows of the image.
            unsafe {
                (0..len).for_each(|i| *sums.add(i) = T::ZERO);
                for w in 0..first.axis.window {
                    let whole = first.positions(&(at..at + 1)).filter(|&q| first.result(q, w) == at as isize);
                    for q in whole {
                        for begin in positions.clone().step_by(chunk) {
                            let some = begin..positions.end.min(begin + chunk);
                            with_scratch(some.len() * last.axis.lhs_extent * columns, |products: *mut T| {
                                self.multiply(kernels, image, [q, w], &some, products);
                                self.add(&some, &rows, products, sums);
                            });
                        }
                    }
                }
                for row in rows.clone() {
                    self.store(image, at, row, sums.add((row - rows.start) * self.row()));
                }
            }
        });
    }

    /// What the positions of some rows add to each result that they reach: for each position the second axis of the window, the last, features.
    ///
    /// # Safety
    /// As for [`scatter`]; there is room for the products.
    unsafe fn multiply<T: Real + Element<T>>(
        &self,
        kernels: &Kernels<T>,
        image: isize,
        [q, w]: [usize; 2],
        some: &Range<usize>,
        products: *mut T,
    ) where
        E: Element<T>,
    {
        let all = self.all;
        let [first, second, last] = self.reaches.map(|reach| reach.axis);
        let axis = |extent: usize, stride: isize| Axis { extent, stride, bound: None };
        let backwards = |axis: &ConvAxis, w: usize| (axis.window - 1 - w) as isize * axis.rhs;
        let operand = |start: *const E, lines: Vec<Axis>, depth: isize| Operand {
            start,
            lines,
            depths: join([axis(all.input.extent, depth)]),
            origin: [0; BOUNDS],
            extents: [1; BOUNDS],
        };
        let start = image * all.batch.lhs + q as isize * first.lhs + some.start as isize * second.lhs;
        let lines = join([axis(some.len(), second.lhs), axis(last.lhs_extent, last.lhs)]);
        let left = operand(all.lhs.wrapping_offset(start), lines, all.input.lhs);
        let start = backwards(&first, w) + backwards(&second, 0) + backwards(&last, 0);
        let lines = join([
            axis(second.window, -second.rhs),
            axis(last.window, -last.rhs),
            axis(all.output.extent, all.output.rhs),
        ]);
        let right = operand(all.rhs.wrapping_offset(start), lines, all.input.rhs);
        let extents = Extents {
            m: some.len() * last.lhs_extent,
            n: second.window * last.window * all.output.extent,
            k: all.input.extent,
        };
        let out = Dense(Matrix { start: products, row: extents.n as isize, column: 1 });
        let contraction = Contraction {
            extents,
            left: &left,
            right: &right,
            out: &out,
            add: false,
            symmetric: false,
            parallel: false,
        };
        // SAFETY: the operands are parts of the arrays.
        unsafe { contract(kernels, &contraction) };
    }

    /// Adds products of some rows of the image to the sums.
    ///
    /// # Safety
    /// The products are those of [`Plan::multiply`], the sums those of `rows`.
    unsafe fn add<T: Real>(&self, some: &Range<usize>, rows: &Range<usize>, products: *const T, sums: *mut T) {
        let [_, second, last] = self.reaches;
        let features = self.all.output.extent;
        let run = last.axis.window * features;
        for (i, q) in some.clone().enumerate() {
            for w in 0..second.axis.window {
                let row = second.result(q, w) - rows.start as isize;
                if !(0..rows.len() as isize).contains(&row) {
                    continue;
                }
                let first = (last.result(0, 0) - self.reached.start) as usize * features;
                let sums = sums.wrapping_add(row as usize * self.row() + first);
                for x in 0..last.axis.lhs_extent {
                    let position = i * last.axis.lhs_extent + x;
                    // SAFETY: a row of sums has room for everything that is reached.
                    unsafe {
                        let from = products.add((position * second.axis.window + w) * run);
                        let to = sums.add(x * last.axis.base_dilation * features);
                        (0..run).for_each(|j| *to.add(j) = *to.add(j) + *from.add(j));
                    }
                }
            }
        }
    }

    /// Writes a row of sums to the result.
    ///
    /// # Safety
    /// As for [`scatter`]; `sums` are those of this row.
    unsafe fn store<T: Real>(&self, image: isize, at: usize, row: usize, sums: *const T)
    where
        R: Element<T>,
    {
        let all = self.all;
        let [first, second, last] = self.reaches.map(|reach| reach.axis);
        let features = all.output.extent;
        let to = image * all.batch.out + at as isize * first.out + row as isize * second.out;
        let (to, sums) = (all.out.wrapping_offset(to), sums.wrapping_add(-self.reached.start as usize * features));
        for feature in 0..features {
            let to = to.wrapping_offset(feature as isize * all.output.out);
            for s in 0..last.extent {
                // SAFETY: the element is in the result.
                unsafe { *to.offset(s as isize * last.out) = R::from_computed(*sums.add(s * features + feature)) };
            }
        }
    }
}
