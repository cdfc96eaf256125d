import type { AclService } from "../../agent/acl/acl-service.js";
import { AllocdError } from "../../agent/errors.js";

/** @throws AllocdError 400 when access control is off, in the reference's words. */
export function aclOf(acl: AclService | undefined): AclService {
  if (acl === undefined) throw new AllocdError("invalid", "ACL support disabled");
  return acl;
}
