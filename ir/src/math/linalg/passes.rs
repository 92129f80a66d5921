//! Passes over the columns of a matrix: what reflections and the reduction of Hermitian matrices do to them.
//!
//! Four columns at a time go by a vector, which is read from memory, and written, once for all of them.

use super::Double;
use super::kernels::LANES;

/// See [`Kernels::axpy`](super::Kernels::axpy).
#[inline(always)]
pub fn axpy<T: Double>(factor: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// See [`Kernels::dot`](super::Kernels::dot).
#[inline(always)]
pub fn dot<T: Double>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (whole_x, whole_y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = whole_x.remainder().iter().zip(whole_y.remainder());
    for (x, y) in whole_x.zip(whole_y) {
        for lane in 0..LANES {
            lanes[lane] += x[lane].conj() * y[lane];
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(rest) {
        *lane += x.conj() * y;
    }
    total(&mut lanes)
}

/// The sum of all lanes. A function of its own: what is seen of the order of these sums would decide which lanes share a vector in the loop above.
#[inline(never)]
fn total<T: Double>(lanes: &mut [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        (0..half).for_each(|lane| lanes[lane] += lanes[lane + half]);
    }
    lanes[0]
}

/// Columns that share the memory accesses to a vector.
const COLUMNS: usize = 4;

/// The first elements of so many columns, `stride` apart.
#[inline(always)]
fn split_columns<T>(x: &mut [T], stride: usize, rows: usize) -> [&mut [T]; COLUMNS] {
    let mut columns = x.chunks_mut(stride);
    std::array::from_fn(|_| &mut columns.next().expect("as many columns")[..rows])
}

/// See [`Kernels::reflect_columns`](super::Kernels::reflect_columns).
#[inline(always)]
pub fn reflect_columns<T: Double>(tau: T, tail: &[T], x: &mut [T], stride: usize, count: usize) {
    let together = count - count % COLUMNS;
    for group in x.chunks_mut(stride * COLUMNS).take(together / COLUMNS) {
        let [a, b, c, d] = split_columns(group, stride, tail.len() + 1);
        reflect_four(tau, tail, [a, b, c, d].map(|x| x.split_first_mut().expect("as long as the reflector")));
    }
    for column in x.chunks_mut(stride).take(count).skip(together) {
        let (head, rest) = column[..=tail.len()].split_first_mut().expect("as long as the reflector");
        let factor = tau * (*head + dot(tail, rest));
        *head -= factor;
        axpy(-factor, tail, rest);
    }
}

#[inline(always)]
fn reflect_four<T: Double>(tau: T, tail: &[T], [a, b, c, d]: [(&mut T, &mut [T]); COLUMNS]) {
    let len = tail.len();
    let mut lanes = [[T::ZERO; LANES]; COLUMNS];
    let whole = len - len % LANES;
    for first in (0..whole).step_by(LANES) {
        let v = &tail[first..][..LANES];
        let (a, b, c, d) =
            (&a.1[first..][..LANES], &b.1[first..][..LANES], &c.1[first..][..LANES], &d.1[first..][..LANES]);
        for lane in 0..LANES {
            let v = v[lane].conj();
            lanes[0][lane] += v * a[lane];
            lanes[1][lane] += v * b[lane];
            lanes[2][lane] += v * c[lane];
            lanes[3][lane] += v * d[lane];
        }
    }
    for i in whole..len {
        let v = tail[i].conj();
        lanes[0][i - whole] += v * a.1[i];
        lanes[1][i - whole] += v * b.1[i];
        lanes[2][i - whole] += v * c.1[i];
        lanes[3][i - whole] += v * d.1[i];
    }
    let sums = totals(&mut lanes);
    let factors = [tau * (*a.0 + sums[0]), tau * (*b.0 + sums[1]), tau * (*c.0 + sums[2]), tau * (*d.0 + sums[3])];
    *a.0 -= factors[0];
    *b.0 -= factors[1];
    *c.0 -= factors[2];
    *d.0 -= factors[3];
    let (a, b, c, d) = (&mut a.1[..len], &mut b.1[..len], &mut c.1[..len], &mut d.1[..len]);
    for i in 0..len {
        a[i] -= factors[0] * tail[i];
        b[i] -= factors[1] * tail[i];
        c[i] -= factors[2] * tail[i];
        d[i] -= factors[3] * tail[i];
    }
}

/// [`total`] of several.
#[inline(never)]
fn totals<T: Double>(lanes: &mut [[T; LANES]; COLUMNS]) -> [T; COLUMNS] {
    for half in [8, 4, 2, 1] {
        for lanes in lanes.iter_mut() {
            (0..half).for_each(|lane| lanes[lane] += lanes[lane + half]);
        }
    }
    [lanes[0][0], lanes[1][0], lanes[2][0], lanes[3][0]]
}

/// See [`Kernels::reflect_rows`](super::Kernels::reflect_rows).
#[inline(always)]
pub fn reflect_rows<T: Double>(tau: T, v: &[T], x: &mut [T], stride: usize, rows: usize) {
    let mut product = vec![T::ZERO; rows];
    let together = v.len() - v.len() % COLUMNS;
    for (v, group) in v.chunks_exact(COLUMNS).zip(x.chunks_mut(stride * COLUMNS)) {
        let [a, b, c, d] = split_columns(group, stride, rows);
        for (i, sum) in product.iter_mut().enumerate() {
            *sum += v[0] * a[i] + v[1] * b[i] + (v[2] * c[i] + v[3] * d[i]);
        }
    }
    for (&v, column) in v[together..].iter().zip(x.chunks(stride).skip(together)) {
        axpy(v, &column[..rows], &mut product);
    }
    for (v, group) in v.chunks_exact(COLUMNS).zip(x.chunks_mut(stride * COLUMNS)) {
        let [a, b, c, d] = split_columns(group, stride, rows);
        let factors = [v[0], v[1], v[2], v[3]].map(|v| tau * v.conj());
        for (i, &sum) in product.iter().enumerate() {
            a[i] -= factors[0] * sum;
            b[i] -= factors[1] * sum;
            c[i] -= factors[2] * sum;
            d[i] -= factors[3] * sum;
        }
    }
    for (&v, column) in v[together..].iter().zip(x.chunks_mut(stride).skip(together)) {
        axpy(-(tau * v.conj()), &product, &mut column[..rows]);
    }
}

/// See [`Kernels::hermitian_product`](super::Kernels::hermitian_product).
#[inline(always)]
pub fn hermitian_product<T: Double>(a: &[T], stride: usize, x: &[T], y: &mut [T]) {
    let n = x.len();
    y.fill(T::ZERO);
    for first in (0..n).step_by(COLUMNS) {
        let end = n.min(first + COLUMNS);
        // The square on the diagonal, and what is below it.
        for k in first..end {
            y[k] += a[k * stride + k] * x[k];
            for i in k + 1..end {
                let below = a[k * stride + i];
                y[i] += below * x[k];
                y[k] += below.conj() * x[i];
            }
        }
        if end < n {
            let columns: [&[T]; COLUMNS] = std::array::from_fn(|k| &a[(first + k) * stride..][end..n]);
            let factors = std::array::from_fn(|k| x[first + k]);
            let sums = add_columns(columns, factors, &x[end..], &mut y[end..]);
            y[first..end].iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
        }
    }
}

/// Adds multiples of columns to y; the products of their adjoints with x.
#[inline(always)]
fn add_columns<T: Double>([a, b, c, d]: [&[T]; COLUMNS], f: [T; COLUMNS], x: &[T], y: &mut [T]) -> [T; COLUMNS] {
    let mut lanes = [[T::ZERO; LANES]; COLUMNS];
    let whole = y.len() - y.len() % LANES;
    for first in (0..whole).step_by(LANES) {
        let (x, y) = (&x[first..][..LANES], &mut y[first..][..LANES]);
        let (a, b, c, d) = (&a[first..][..LANES], &b[first..][..LANES], &c[first..][..LANES], &d[first..][..LANES]);
        for lane in 0..LANES {
            lanes[0][lane] += a[lane].conj() * x[lane];
            lanes[1][lane] += b[lane].conj() * x[lane];
            lanes[2][lane] += c[lane].conj() * x[lane];
            lanes[3][lane] += d[lane].conj() * x[lane];
            y[lane] += f[0] * a[lane] + f[1] * b[lane] + (f[2] * c[lane] + f[3] * d[lane]);
        }
    }
    for (lane, i) in (whole..y.len()).enumerate() {
        lanes[0][lane] += a[i].conj() * x[i];
        lanes[1][lane] += b[i].conj() * x[i];
        lanes[2][lane] += c[i].conj() * x[i];
        lanes[3][lane] += d[i].conj() * x[i];
        y[i] += f[0] * a[i] + f[1] * b[i] + (f[2] * c[i] + f[3] * d[i]);
    }
    totals(&mut lanes)
}

/// See [`Kernels::hermitian_update`](super::Kernels::hermitian_update).
#[inline(always)]
pub fn hermitian_update<T: Double>(a: &mut [T], stride: usize, v: &[T], w: &[T]) {
    for k in 0..v.len() {
        let (along_v, along_w) = (w[k].conj(), v[k].conj());
        let column = &mut a[k * stride..][k..v.len()];
        for (x, (&v, &w)) in column.iter_mut().zip(v[k..].iter().zip(&w[k..])) {
            *x -= v * along_v + w * along_w;
        }
    }
}
