//! Elements of short rows, as many rows at a time as a vector has lanes: a block of as many columns is loaded row by row and transposed, and one
//! that is stored the other way round. Gathers of the columns take five times as long.

use rjax_kernel::kir::{Index, Inst, ParamId};

use super::super::code::{Code, Place, Source};
use super::super::opcode::{self, avx512};
use super::Selector;

/// The lengths of rows.
const ROW: std::ops::RangeInclusive<i32> = 9..=64;
/// Fewer columns are gathered.
const FEW: usize = 3;

/// What a loop loads or stores.
pub(super) struct Access {
    store: bool,
    param: ParamId,
    index: Index,
}

impl Access {
    pub(super) fn of(inst: &Inst) -> Option<Access> {
        match inst {
            Inst::Load { param, index, .. } => Some(Access { store: false, param: *param, index: index.clone() }),
            Inst::Store { param, index, .. } => Some(Access { store: true, param: *param, index: index.clone() }),
            Inst::Let { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => None,
        }
    }
}

/// A column of a block.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// The first element of the block.
    block: Place,
    /// How many columns the block has.
    width: usize,
    number: usize,
}

/// Columns of a block that are to be stored, those that are there.
pub(super) struct Pending {
    block: Place,
    columns: Vec<Option<Source>>,
}

impl Selector<'_, '_> {
    /// Where the elements at an index are, if they are a column of a block that is worth it.
    pub(super) fn column(&mut self, param: ParamId, index: &Index, stride: i32, store: bool) -> Option<Column> {
        let (dtype, len) = (self.kernel.params[param.index()].dtype, self.kernel.params[param.index()].len);
        let full = dtype.size() == 4 || dtype.size() == 8 && self.double;
        let (lanes, row) = (self.lanes(), stride as i64);
        let whole =
            len.is_multiple_of(stride.unsigned_abs() as usize) && index.terms.iter().all(|&(_, by)| by % row == 0);
        if !full || !ROW.contains(&stride) || !whole {
            return None;
        }
        let of_row = index.constant.rem_euclid(row) as usize;
        let first = of_row / lanes * lanes;
        let width = lanes.min(stride as usize - first);
        let start = index.offset(-((of_row - first) as i64));
        // A bit for each that is loaded or stored.
        let mut columns = 0u16;
        for access in self.accesses.iter().filter(|access| access.param == param) {
            // What was loaded would not be what is there.
            if access.store != store {
                return None;
            }
            let (same, column) = (access.index.terms == index.terms, access.index.constant - start.constant);
            let bit = if same && (0..width as i64).contains(&column) { 1 << column } else { 0 };
            let again = columns & bit != 0;
            columns |= bit;
            // Nor may a store wait for others while its element is written again.
            if store && (again || !same) {
                return None;
            }
        }
        // Rows are stored whole.
        if (columns.count_ones() as usize) < if store { width.max(FEW) } else { FEW } {
            return None;
        }
        let block = Place { packed: true, ..self.place(param, &start, stride)? };
        Some(Column { block, width, number: of_row - first })
    }

    pub(super) fn load_column(&mut self, column: Column) -> Source {
        let Column { block, width, number } = column;
        let key = |number: usize| (block.stream, block.displacement + (number * block.size) as i32, block.stride);
        if let Some(&loaded) = self.spread.get(&key(number)) {
            return loaded;
        }
        let (double, mask) = (block.size == 8, self.first_lanes(width));
        let mut rows = Vec::with_capacity(self.lanes());
        for row in 0..self.lanes() {
            let result = self.value();
            self.codes.push(Code::Load { op: opcode::load(double), result, place: row_of(block, row), mask });
            rows.push(Source::Value(result));
        }
        self.transpose(&mut rows, double);
        self.spread.extend((0..width).map(|number| (key(number), rows[number])));
        rows[number]
    }

    pub(super) fn store_column(&mut self, value: Source, column: Column) {
        let Column { block, width, number } = column;
        let found = self.pending.iter().position(|pending| pending.block == block);
        let found = found.unwrap_or_else(|| {
            self.pending.push(Pending { block, columns: vec![None; width] });
            self.pending.len() - 1
        });
        self.pending[found].columns[number] = Some(value);
        let Some(mut columns) = self.pending[found].columns.iter().copied().collect::<Option<Vec<Source>>>() else {
            return;
        };
        self.pending.swap_remove(found);
        let (double, mask) = (block.size == 8, self.first_lanes(width));
        columns.resize(self.lanes(), value);
        self.transpose(&mut columns, double);
        for (row, value) in columns.into_iter().enumerate() {
            let place = row_of(block, row);
            self.codes.push(Code::Store { op: opcode::store(double), value, place, immediate: None, mask });
        }
    }

    /// Makes columns of rows: lanes `d` apart change places, for each power of two `d`.
    fn transpose(&mut self, rows: &mut [Source], double: bool) {
        let lanes = rows.len();
        for apart in (0..lanes.ilog2()).map(|power| 1 << power) {
            let order = |bit: usize| {
                move |lane: usize| {
                    // From the first row, whose lanes have this bit of the result's, or from the second.
                    let from = if bit == 0 { lane & !apart } else { lane | apart };
                    (if lane & apart == 0 { from } else { lanes + from }) as i64
                }
            };
            let orders = [self.lane_numbers(double, order(0)), self.lane_numbers(double, order(1))];
            for first in (0..lanes).filter(|row| row & apart == 0) {
                let pair = [rows[first], rows[first | apart]];
                for (bit, order) in orders.into_iter().enumerate() {
                    rows[first | (bit * apart)] = self.put(avx512::order_two(double), [order, pair[0], pair[1]], None);
                }
            }
        }
    }

    /// A mask of the first lanes, if it is not of all.
    fn first_lanes(&mut self, count: usize) -> Source {
        if count == self.lanes() { Source::None } else { self.mask_of(0..count) }
    }
}

/// The same elements in a later row.
fn row_of(block: Place, row: usize) -> Place {
    let elements = row as i32 * block.stride;
    Place { displacement: block.displacement + elements * block.size as i32, ..block }
}
