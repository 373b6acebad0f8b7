// An answer other than the expected one. Thrown by whoever finds the reason, turned into bytes by the door.
export class Refusal extends Error {
  constructor(status, message, extra = {}) {
    super(typeof message === 'string' ? message : JSON.stringify(message));
    this.status = status;
    this.body = { message, ...extra };
  }
}

export const refuse = (status, message, extra) => {
  throw new Refusal(status, message, extra);
};
