import { FileSystem } from "@extmemfs/extmemfs";

const scope = self as unknown as Worker;
scope.onmessage = (event) => {
  using fs = FileSystem.attach(event.data);
  const [a, b] = fs.readFileSync("/shared/question", "utf8").split(" * ").map(Number);
  fs.writeFileSync("/shared/answer", String(a! * b!));
  scope.postMessage("done");
};
