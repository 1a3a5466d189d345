/** The upload cannot be made into thumbnails, however often one tries. Its message is for whoever uploaded it. */
export class UnreadablePicture extends Error {
  override readonly name = "UnreadablePicture";
}

const maxDetail = 160;

/** What sharp said of the bytes, in words for whoever uploaded them. */
export function explain(error: unknown): UnreadablePicture {
  const said = error instanceof Error ? error.message : String(error);
  if (/unsupported image format/i.test(said))
    return new UnreadablePicture(
      "This file is no picture that can be read. Expected JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG.",
      { cause: error },
    );
  if (/pixel limit/i.test(said))
    return new UnreadablePicture("This picture has more than 100 million pixels.", { cause: error });
  const [detail = ""] = said.split("\n");
  return new UnreadablePicture(`This picture is damaged: ${detail.slice(0, maxDetail)}`, { cause: error });
}
