import { findUser } from "./users.js";

test("a user is found by name and by number", async () => {
  const root = await findUser("root");
  expect(root).toMatchObject({ name: "root", uid: 0, gid: 0, known: true });
  expect(await findUser("0")).toEqual(root);
});

test("a number that nobody has is taken as it is, without groups", async () => {
  expect(await findUser("54321")).toEqual({ name: "54321", uid: 54_321, gid: 54_321, home: "/", known: false });
  expect(await findUser("54321:7")).toMatchObject({ uid: 54_321, gid: 7, known: false });
});

test("a group of its own drops the user's other groups", async () => {
  expect(await findUser("root:7")).toMatchObject({ uid: 0, gid: 7, known: false });
});

test.each(["4294967295", "1:4294967295", "9999999999"])("%s, which the kernel would not take for an id, is refused", async (wanted) => {
  await expect(findUser(wanted)).rejects.toThrow("4294967294");
});

test.each(["no-such-user", "root:wheel", "-u", ""])("%j is refused", async (wanted) => {
  await expect(findUser(wanted)).rejects.toThrow(wanted === "root:wheel" ? "root:wheel" : "unknown user");
});
