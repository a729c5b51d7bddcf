//! Ops that run a block for each element: map, grep, sort, for each.
//!
//! A running block is a [`Fence`] with the state of the iteration. It shares the frame of the op
//! that runs it. Each run of the block begins at its first op with the elements on the stack, and is
//! over when control reaches its end; what the block leaves on top is its result.

use super::super::trap::{Fault, Step};
use super::{Fence, FenceKind, Machine, Region};
use crate::code::Code;
use crate::value::{Array, Value, compare};

/// A block that runs.
pub(super) struct BlockRun {
    /// Its ops.
    pub(super) region: Region,
    /// Where control goes on behind the op that runs it.
    resume: usize,
    /// The height of the stack without the elements that the block works on.
    pub(super) height: usize,
    work: BlockWork,
}

/// What the results of a block are for.
enum BlockWork {
    /// They are the new elements.
    Map(Elements, Array),
    /// They tell which elements stay.
    Grep(Elements, Array),
    /// They tell which of two comes first.
    Sort(MergeSort),
    /// Nothing.
    ForEach(Elements),
    /// Nothing either: it handles this signal, and the status is then what it was before.
    Trap { signal: i32, status: i32 },
}

/// An array whose elements a block gets, one after the other.
struct Elements {
    items: Array,
    next: usize,
}

impl Elements {
    fn of(items: Array) -> Elements {
        Elements { items, next: 0 }
    }

    fn next(&mut self) -> Option<Value> {
        let item = self.items.get(self.next).cloned();
        self.next += 1;
        item
    }

    /// As [`next`](Self::next), of elements that nobody asks for again.
    fn take_next(&mut self) -> Option<Value> {
        let Some(item) = self.items.unshared_mut(self.next) else {
            return self.next();
        };
        self.next += 1;
        Some(std::mem::take(item))
    }

    /// The element that the block was run for last.
    fn present(&self) -> Value {
        let place = self.next.checked_sub(1);
        let item = place.and_then(|place| self.items.get(place));
        item.cloned().unwrap_or_default()
    }
}

/// A stable merge sort from the bottom up, which stops whenever it must know which of two elements
/// comes first. The specification gives the order of its questions.
struct MergeSort {
    items: Array,
    merged: Array,
    /// The length of the sorted runs that are merged in pairs.
    width: usize,
    /// Where the present pair of runs begins.
    start: usize,
    /// The next elements of the left and of the right run.
    left: usize,
    right: usize,
}

impl MergeSort {
    fn of(items: Array) -> MergeSort {
        MergeSort {
            items,
            merged: Array::default(),
            width: 1,
            start: 0,
            left: 0,
            right: 1,
        }
    }

    /// The next two elements to compare; `None` when `items` is sorted.
    fn next(&mut self) -> Option<(Value, Value)> {
        let len = self.items.len();
        while self.width < len {
            let middle = self.start.saturating_add(self.width).min(len);
            let end = middle.saturating_add(self.width).min(len);
            if self.left < middle && self.right < end {
                let pair = (&self.items[self.left], &self.items[self.right]);
                return Some((pair.0.clone(), pair.1.clone()));
            }
            let items = &mut self.items.as_mut_slice()[..end];
            let (rest, rest_right) = items.split_at_mut(middle);
            self.merged
                .extend(rest[self.left..].iter_mut().map(std::mem::take));
            self.merged.extend(
                rest_right[self.right - middle..]
                    .iter_mut()
                    .map(std::mem::take),
            );
            self.start = end;
            if end == len {
                self.items = std::mem::take(&mut self.merged);
                self.start = 0;
                self.width = self.width.saturating_mul(2);
            }
            self.left = self.start;
            self.right = self.start.saturating_add(self.width).min(len);
        }
        None
    }

    /// Moves on past the element of the two that comes first.
    fn decide(&mut self, right_first: bool) {
        let place = if right_first {
            &mut self.right
        } else {
            &mut self.left
        };
        let item = std::mem::take(&mut self.items.as_mut_slice()[*place]);
        *place += 1;
        self.merged.push(item);
    }
}

impl BlockRun {
    /// The handler of a signal.
    pub(super) fn of_trap(
        region: Region,
        resume: usize,
        height: usize,
        signal: i32,
        status: i32,
    ) -> BlockRun {
        BlockRun {
            region,
            resume,
            height,
            work: BlockWork::Trap { signal, status },
        }
    }

    /// The signal that the block handles, as one bit; none for other blocks.
    pub(super) fn signals(&self) -> u64 {
        match self.work {
            BlockWork::Trap { signal, .. } => 1 << signal,
            _ => 0,
        }
    }

    /// Takes what a run of the block has left: `result` for the elements that it got.
    fn take(&mut self, result: Value) {
        match &mut self.work {
            BlockWork::Map(_, results) => results.push(result),
            BlockWork::Grep(elements, kept) => {
                if result.is_truthy() {
                    kept.push(elements.present());
                }
            }
            BlockWork::Sort(sort) => sort.decide(compare::num_gt(&result, &Value::Int(0))),
            BlockWork::ForEach(_) | BlockWork::Trap { .. } => {}
        }
    }

    /// Pushes what the block is to work on next; `false` if it has worked on all.
    #[inline(always)]
    fn push_next(&mut self, stack: &mut Vec<Value>) -> bool {
        match &mut self.work {
            BlockWork::Map(elements, _) | BlockWork::ForEach(elements) => {
                match elements.take_next() {
                    Some(item) => stack.push(item),
                    None => return false,
                }
            }
            BlockWork::Grep(elements, _) => match elements.next() {
                Some(item) => stack.push(item),
                None => return false,
            },
            BlockWork::Sort(sort) => match sort.next() {
                Some((x, y)) => stack.extend([x, y]),
                None => return false,
            },
            BlockWork::Trap { .. } => return false,
        }
        true
    }

    /// What the op leaves on the stack.
    fn into_result(self) -> Option<Value> {
        match self.work {
            BlockWork::Map(_, results) => Some(Value::Array(results)),
            BlockWork::Grep(_, kept) => Some(Value::Array(kept)),
            BlockWork::Sort(sort) => Some(Value::Array(sort.items)),
            BlockWork::ForEach(_) | BlockWork::Trap { .. } => None,
        }
    }
}

/// Control left a block in another way than by its end.
#[cold]
pub(super) fn leaves_block() -> Fault {
    Fault::new(
        Code::BlockFailed,
        "control leaves a block but not by its end",
    )
}

impl Machine<'_> {
    /// `a -- a`
    pub(super) fn map_block(&mut self, block: u16, resume: usize) -> Step<usize> {
        match self.vm.pop() {
            Value::Array(items) => {
                let work = BlockWork::Map(Elements::of(items), Array::default());
                self.enter_block(block, resume, work)
            }
            other => self.give_back(other, resume),
        }
    }

    /// `a -- a`
    pub(super) fn grep_block(&mut self, block: u16, resume: usize) -> Step<usize> {
        match self.vm.pop() {
            Value::Array(items) => {
                let work = BlockWork::Grep(Elements::of(items), Array::default());
                self.enter_block(block, resume, work)
            }
            other => self.give_back(other, resume),
        }
    }

    /// `a -- a`
    pub(super) fn sort_block(&mut self, block: u16, resume: usize) -> Step<usize> {
        match self.vm.pop() {
            Value::Array(items) => {
                let work = BlockWork::Sort(MergeSort::of(items));
                self.enter_block(block, resume, work)
            }
            other => self.give_back(other, resume),
        }
    }

    /// `a --`
    pub(super) fn for_each_block(&mut self, block: u16, resume: usize) -> Step<usize> {
        match self.vm.pop() {
            Value::Array(items) => {
                let work = BlockWork::ForEach(Elements::of(items));
                self.enter_block(block, resume, work)
            }
            _ => Ok(resume),
        }
    }

    /// What is no array has no elements: it stays as it is.
    fn give_back(&mut self, value: Value, resume: usize) -> Step<usize> {
        self.vm.push(value);
        Ok(resume)
    }

    /// Begins to run a block; where control goes on.
    fn enter_block(&mut self, block: u16, resume: usize, work: BlockWork) -> Step<usize> {
        let region = self.block_region(block)?;
        let mut run = BlockRun {
            region,
            resume,
            height: self.vm.stack.len(),
            work,
        };
        if !run.push_next(&mut self.vm.stack) {
            self.vm.stack.extend(run.into_result());
            return Ok(resume);
        }
        self.vm.charge(1)?;
        self.vm.meter.enter_call()?;
        self.raise_fence(FenceKind::Block(run));
        Ok(region.start)
    }

    /// Control is at the end of the code that is in reach: of the program, then there is nowhere to
    /// go on, or of a block, which then runs for the next element.
    #[inline(never)]
    pub(super) fn leave_region(&mut self, at: usize) -> Step<Option<usize>> {
        let Some(Fence {
            frames,
            kind: FenceKind::Block(run),
        }) = self.fences.last_mut()
        else {
            return self.leave_code(at);
        };
        if at != run.region.end {
            return Err(leaves_block());
        }
        // Scopes that the block left open.
        self.vm.truncate_frames(*frames);
        let stack = &mut self.vm.stack;
        let mut result = Value::Undef;
        if stack.len() > run.height {
            result = stack.pop().unwrap_or_default();
            stack.truncate(run.height);
        }
        run.height = stack.len();
        run.take(result);
        // Should it end here, then in the op that runs the block.
        self.vm.ip = run.resume.saturating_sub(1);
        if run.push_next(stack) {
            let start = run.region.start;
            self.vm.charge(1)?;
            return Ok(Some(start));
        }
        self.vm.meter.leave_call();
        let fence = self.fences.pop();
        self.region = self.innermost_region();
        let Some(FenceKind::Block(run)) = fence.map(|fence| fence.kind) else {
            return Ok(None);
        };
        let resume = run.resume;
        if let BlockWork::Trap { signal, status } = run.work {
            self.vm.last_status = status;
            self.vm.shell.running &= !(1 << signal);
            return self.run_traps(resume).map(Some);
        }
        self.vm.stack.extend(run.into_result());
        Ok(Some(resume))
    }

    /// Control is at the end of the code that is in reach, and no block runs there.
    fn leave_code(&mut self, at: usize) -> Step<Option<usize>> {
        match self.fences.last().map(|fence| &fence.kind) {
            Some(FenceKind::Alone { region, .. }) if at == region.end => Ok(None),
            Some(FenceKind::Alone { .. } | FenceKind::Mark { .. })
                if self.region.end != usize::MAX =>
            {
                Err(leaves_block())
            }
            _ => Ok(self.end_of_code()),
        }
    }

    /// Takes note of a block that ends otherwise than by its end.
    pub(super) fn leave_block(&mut self, run: &BlockRun) {
        self.vm.meter.leave_call();
        self.vm.shell.running &= !run.signals();
    }
}
