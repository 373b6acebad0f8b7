// A network that is far away: passes TCP connections on and holds back every piece of data for MS milliseconds each way.
// Order is kept and the throughput is not limited; connection set-up costs a round trip as well.
//
//   node delay.mjs MS LISTEN:TARGET…     ports of 127.0.0.1
import net from "node:net";

const delay = Number(process.argv[2]);
const host = "127.0.0.1";

// Pieces wait in a queue of their own for each direction, so that none overtakes another
function pump(from, to) {
  const queue = [];
  let timer = null;
  const flush = () => {
    timer = null;
    const now = performance.now();
    // a timer may fire a fraction of a millisecond early
    while (queue.length > 0 && queue[0].at <= now + 0.2) {
      const { data } = queue.shift();
      if (data === null) to.end();
      else to.write(data);
    }
    if (queue.length > 0) timer = setTimeout(flush, queue[0].at - now);
  };
  const push = (data) => {
    queue.push({ at: performance.now() + delay, data });
    timer ??= setTimeout(flush, delay);
  };
  from.on("data", push);
  from.on("end", () => push(null));
}

function serve(listen, target) {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    near.pause();
    const far = net.connect({ host, port: target, allowHalfOpen: true, noDelay: true });
    const give_up = () => {
      near.destroy();
      far.destroy();
    };
    near.on("error", give_up);
    far.on("error", give_up);
    pump(far, near);
    // the answer to the client's SYN would have taken one round trip
    setTimeout(() => {
      pump(near, far);
      near.resume();
    }, 2 * delay);
  });
  server.listen(listen, host);
}

for (const route of process.argv.slice(3)) {
  const [listen, target] = route.split(":").map(Number);
  serve(listen, target);
}
