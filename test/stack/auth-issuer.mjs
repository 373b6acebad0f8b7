// Preloaded into the Auth server. It signs its access tokens without `iss`; those of
// a hosted project say which project they are from, and clients check that.
import { SignJWT } from "jose";

const sign = SignJWT.prototype.sign;
SignJWT.prototype.sign = function (...args) {
  return sign.apply(this.setIssuer(process.env.STACK_ISSUER), args);
};
