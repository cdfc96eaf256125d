import type { ServerResponse } from "node:http";
import { sendText } from "../failure.js";

/** Ends a request whose caller may not make it any more: with a refusal when nothing was sent yet, else at once. */
export function cutOff(response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.setHeader("Connection", "close");
  sendText(response, { status: 403, text: "Permission denied" });
}
