//! Decisions as functions of their arguments: routing, the meaning of an outcome, the next step.

pub(crate) mod allowance;
pub(crate) mod byte_budget;
pub(crate) mod classify;
pub(crate) mod decide;
pub(crate) mod fan_out;
pub(crate) mod retry_after;
pub(crate) mod tenant_share;

pub use self::{
    allowance::Allowance,
    byte_budget::ByteBudget,
    classify::{Verdict, classify, health_signal},
    decide::{Decision, FailReason, decide},
    fan_out::fan_out,
    retry_after::retry_after,
    tenant_share::Shares,
};
pub use crate::model::{
    health::{Condition, HealthChange, HealthSignal},
    retry::{Plan, PlannedAttempt},
};
