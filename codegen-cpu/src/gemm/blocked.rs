//! The loops around the tiles: which operand is read in place, which is packed, and in what blocks.

use super::pack::pack_columns;
use super::scratch::with_scratch;
use super::tile::{Isa, Real, Tile};
use super::{Extents, Matrix};

/// Rows of the right operand handled at once: a group of its columns then stays in the first-level cache.
const K_BLOCK: usize = 256;
/// Rows of the left operand handled at once: such a block stays in the second-level cache.
const M_BLOCK: usize = 168;
/// Columns of the right operand packed at once: such a block stays in the last-level cache.
const N_BLOCK: usize = 3072;
/// A right operand of at most this many bytes is in the first-level cache after its first use, packed or not.
const SMALL_BYTES: usize = 24 << 10;

/// A product whose result has contiguous rows.
///
/// # Safety
/// The matrices have these extents (none of them 0) in valid memory; `out.column` is 1 unless there is one column; `out` overlaps no operand; the
/// machine has the instruction set.
pub(super) unsafe fn product<I: Isa>(
    extents: Extents,
    lhs: Matrix<I::Scalar>,
    rhs: Matrix<I::Scalar>,
    out: Matrix<I::Scalar>,
) {
    let Extents { m, n, k } = extents;
    let few_rows = m <= 2 * I::ROWS;
    // SAFETY: each path reads and writes only elements of the three matrices and of scratch that it asked for.
    unsafe {
        if m <= 4 && lhs.column == 1 && rhs.row == 1 && (rhs.column != 1 || n == 1) {
            return I::dots(extents, lhs, rhs, out);
        }
        let in_place = rhs.column == 1
            && (few_rows || (k * n * size_of::<I::Scalar>() <= SMALL_BYTES && rhs.row.unsigned_abs() <= 2 * n));
        if in_place {
            return rows_in_place::<I>(extents, lhs, rhs, out);
        }
        let width = I::ROW_VECTORS * I::LANES;
        let packed_columns = n.min(N_BLOCK).next_multiple_of(width);
        with_scratch(K_BLOCK.min(k) * packed_columns, |packed: *mut I::Scalar| {
            for column in (0..n).step_by(N_BLOCK) {
                let columns = N_BLOCK.min(n - column);
                for depth in (0..k).step_by(K_BLOCK) {
                    let depths = K_BLOCK.min(k - depth);
                    let block = Matrix { start: rhs.at(depth, column), ..rhs };
                    pack_columns(depths, columns, width, block, packed);
                    let extents = Extents { m, n: columns, k: depths };
                    let lhs = Matrix { start: lhs.at(0, depth), ..lhs };
                    let out = Matrix { start: out.at(0, column), ..out };
                    rows_packed::<I>(extents, lhs, packed, out, depth > 0);
                }
            }
        });
    }
}

/// A product whose right operand is read where it is, with contiguous rows.
///
/// # Safety
/// As for [`product`], and `rhs.column` is 1.
unsafe fn rows_in_place<I: Isa>(
    extents: Extents,
    lhs: Matrix<I::Scalar>,
    rhs: Matrix<I::Scalar>,
    out: Matrix<I::Scalar>,
) {
    let Extents { m, n, k } = extents;
    for depth in (0..k).step_by(K_BLOCK) {
        let depths = K_BLOCK.min(k - depth);
        let mut row = 0;
        while row < m {
            let rows = I::ROWS.min(m - row);
            let width = I::vectors_for(rows) * I::LANES;
            for column in (0..n).step_by(width) {
                let tile = Tile {
                    k: depths,
                    a: lhs.at(row, depth),
                    a_row: lhs.row,
                    a_k: lhs.column,
                    b: rhs.at(depth, column),
                    b_k: rhs.row,
                    c: out.at(row, column),
                    c_row: out.row,
                    columns: width.min(n - column),
                    accumulate: depth > 0,
                };
                // SAFETY: the tile lies in the three matrices: columns beyond `tile.columns` are not touched.
                unsafe { I::tile(rows, width / I::LANES, true, &tile) };
            }
            row += rows;
        }
    }
}

/// A product with a packed right operand.
///
/// # Safety
/// As for [`product`]; `packed` holds `k` rows of `n` columns as [`pack_columns`] leaves them.
unsafe fn rows_packed<I: Isa>(
    extents: Extents,
    lhs: Matrix<I::Scalar>,
    packed: *const I::Scalar,
    out: Matrix<I::Scalar>,
    accumulate: bool,
) {
    let Extents { m, n, k } = extents;
    let width = I::ROW_VECTORS * I::LANES;
    // Rows that are contiguous in k are read in place; others would touch a cache line and a page for every element.
    let pack_lhs = lhs.column != 1 && n > width;
    with_scratch(if pack_lhs { M_BLOCK.min(m).next_multiple_of(I::ROWS) * k } else { 0 }, |scratch: *mut I::Scalar| {
        for first in (0..m).step_by(M_BLOCK) {
            let rows = M_BLOCK.min(m - first);
            if pack_lhs {
                let block = Matrix { start: lhs.at(first, 0), ..lhs };
                // SAFETY: the block is in the left operand; the scratch was made for it.
                unsafe { pack_columns(k, rows, I::ROWS, block.transposed(), scratch) };
            }
            for column in (0..n).step_by(width) {
                let mut row = 0;
                while row < rows {
                    let tile_rows = I::ROWS.min(rows - row);
                    let (a, a_row, a_k) = if pack_lhs {
                        (scratch.wrapping_add(row * k).cast_const(), 1, I::ROWS as isize)
                    } else {
                        (lhs.at(first + row, 0).cast_const(), lhs.row, lhs.column)
                    };
                    let tile = Tile {
                        k,
                        a,
                        a_row,
                        a_k,
                        b: packed.wrapping_add(column * k),
                        b_k: width as isize,
                        c: out.at(first + row, column),
                        c_row: out.row,
                        columns: width.min(n - column),
                        accumulate,
                    };
                    // SAFETY: the tile lies in the left operand (or its packed copy), the packed right operand, which is
                    // padded to whole tiles, and the result, of which columns beyond `tile.columns` are not touched.
                    unsafe { I::tile(tile_rows, I::ROW_VECTORS, false, &tile) };
                    row += tile_rows;
                }
            }
        }
    });
}

/// The product for plain Rust arrays; the compiler vectorises what it can.
///
/// # Safety
/// As for [`product`].
pub(super) unsafe fn portable<T: Real>(extents: Extents, lhs: Matrix<T>, rhs: Matrix<T>, out: Matrix<T>) {
    // SAFETY: the portable instruction set is on every machine; the rest is this function's contract.
    unsafe { product::<super::tile::Portable<T>>(extents, lhs, rhs, out) }
}
