//! The matrix product inside blocked factorisations.
//!
//! Everything here is inlined into its callers, so that a caller compiled for a machine with wider vectors gets them.

use super::Field;

/// Columns of a packed panel: one tile's width.
const WIDTH: usize = 16;
/// Rows of a tile.
const HEIGHT: usize = 4;

/// How many rows or columns a factorisation takes at a time before it updates the rest.
pub(super) const BLOCK: usize = 32;

/// The right operand of a product in panels of [`WIDTH`] columns, row after row within a panel, padded with zeros.
pub(super) struct Packed<T> {
    depth: usize,
    cols: usize,
    data: Vec<T>,
}

impl<T: Field> Packed<T> {
    /// Packs the matrix of these elements.
    #[inline(always)]
    pub fn new(depth: usize, cols: usize, element: impl Fn(usize, usize) -> T) -> Packed<T> {
        let mut data = vec![T::ZERO; depth * cols.next_multiple_of(WIDTH)];
        for j in 0..cols {
            let panel = &mut data[j / WIDTH * WIDTH * depth..];
            for l in 0..depth {
                panel[l * WIDTH + j % WIDTH] = element(l, j);
            }
        }
        Packed { depth, cols, data }
    }
}

/// `c -= a b` for the first `cols` columns of b. `a` is row-major without gaps; the rows of `c` are `stride` apart.
#[inline(always)]
pub(super) fn subtract_product<T: Field>(a: &[T], b: &Packed<T>, cols: usize, c: &mut [T], stride: usize) {
    let depth = b.depth;
    if depth == 0 || cols == 0 {
        return;
    }
    let cols = cols.min(b.cols);
    let rows = a.len() / depth;
    for (number, panel) in b.data.chunks_exact(depth * WIDTH).take(cols.div_ceil(WIDTH)).enumerate() {
        let left = number * WIDTH;
        let width = WIDTH.min(cols - left);
        for top in (0..rows).step_by(HEIGHT) {
            let height = HEIGHT.min(rows - top);
            // Rows beyond the last one repeat it; their sums are not used.
            let row = |r: usize| &a[(top + r.min(height - 1)) * depth..][..depth];
            let (a0, a1, a2, a3) = (row(0), row(1), row(2), row(3));
            let mut sums = [[T::ZERO; WIDTH]; HEIGHT];
            for (l, b) in panel.chunks_exact(WIDTH).enumerate() {
                let factors = [a0[l], a1[l], a2[l], a3[l]];
                for r in 0..HEIGHT {
                    for j in 0..WIDTH {
                        sums[r][j] += factors[r] * b[j];
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate().take(height) {
                let out = &mut c[(top + r) * stride + left..][..width];
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out -= sum;
                }
            }
        }
    }
}
