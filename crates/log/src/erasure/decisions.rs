//! Erasure from the decision log, with the features logged there.

use headwater_base::Fact;

use super::{Erased, Rule};
use crate::codec::{self, CodecError, Whose};
use crate::{DecisionLog, LogError, Offset};

/// How often decisions that were under way meanwhile are looked for.
const ROUNDS: usize = 8;

impl DecisionLog {
    /// Shows those records that `concerns` takes, with the offset of the views they saw.
    pub(super) fn look(
        &self,
        concerns: &dyn Fn(Whose<'_>) -> bool,
        look: &mut dyn FnMut(Whose<'_>, Offset),
    ) -> Result<(), LogError> {
        self.segments().visit(0, &mut |_, payload| {
            let whose = codec::peek_whose(payload)?;
            if concerns(whose) {
                look(whose, seen(payload)?);
            }
            Ok(())
        })
    }

    /// Erases what `rule` says.
    ///
    /// A request that saw the user may be recorded only after the deletion: what came while it rewrote is looked
    /// through as well.
    pub(super) fn erase(&self, rule: &Rule<'_>, keep_going: &dyn Fn() -> bool) -> Result<Erased, LogError> {
        let mut goes = |_: Offset, payload: &[u8]| -> Result<bool, CodecError> {
            let whose = codec::peek_whose(payload)?;
            Ok(rule.may_erase(whose) && rule.erases(whose, seen(payload)?))
        };
        let mut done = Erased::default();
        let mut from = 0;
        for _ in 0..ROUNDS {
            let mut any = false;
            let end = self.end();
            self.segments().visit(from, &mut |offset, payload| {
                any = any || goes(offset, payload)?;
                Ok(())
            })?;
            if !any {
                break;
            }
            self.rotate()?;
            for segment in self.segments().sealed().iter().filter(|segment| segment.end > from) {
                if !keep_going() {
                    return Ok(done);
                }
                let rewritten =
                    self.segments().rewrite(self.disk(), segment.first, &mut goes, &mut |_| Ok(()))?;
                if let Some(rewritten) = rewritten {
                    done.add(&rewritten);
                }
            }
            from = end;
        }
        done.complete = true;
        Ok(done)
    }
}

/// The offset of the views that a decision saw.
fn seen(payload: &[u8]) -> Result<Offset, CodecError> {
    Ok(match codec::decode(payload)?.fact {
        Fact::Decision(decision) => decision.position.first().copied().unwrap_or(0),
        _ => 0,
    })
}
