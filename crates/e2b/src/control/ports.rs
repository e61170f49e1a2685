//! The ports of a sandbox: `get_host` promises clients that whoever knows a sandbox's id reaches them.

use accounts::Allowed;
use accounts::access::WriteSandboxes;
use domain::SandboxId;
use gateway::{Access, NewPreview};

use crate::app::E2b;
use crate::problem::{Problem, Result};

/// Opens all ports of a sandbox, for as long as it lives.
pub(super) async fn open(app: &E2b, proof: &Allowed<WriteSandboxes>, sandbox: SandboxId) -> Result<()> {
    let wanted = NewPreview { sandbox, port: None, access: Access::Public, life_ms: None };
    app.previews.create(proof, wanted).await.map(drop).map_err(|error| Problem::internal(&error))
}
