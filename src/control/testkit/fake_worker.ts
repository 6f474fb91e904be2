/** A data-plane worker for tests of the main isolate. */
import type { ToMain, ToWorker } from "../../dataplane/messages.ts";

/** A worker that the test plays. */
export class FakeWorker extends EventTarget implements Worker {
  readonly sent: ToWorker[] = [];
  terminated = false;
  onmessage: Worker["onmessage"] = null;
  onmessageerror: Worker["onmessageerror"] = null;
  onerror: Worker["onerror"] = null;

  postMessage(message: ToWorker): void {
    this.sent.push(message);
  }

  terminate(): void {
    this.terminated = true;
  }

  says(message: ToMain): void {
    this.onmessage?.call(this, new MessageEvent("message", { data: message }));
  }

  dies(message: string): ErrorEvent {
    const event = new ErrorEvent("error", { message, cancelable: true });
    this.onerror?.call(this, event);
    return event;
  }
}
